// The answers page: the list of rows, and of the row chosen its picture, question and what every run said.
"use strict";

(() => {
  const { el } = site;
  const data = site.get("answers");
  const runs = Object.keys(data.marks);
  const SIGN = { r: "✓", w: "✗", u: "?" };
  const WORD = { r: "right", w: "wrong", u: "unparsed" };
  const places = new Map(data.ids.map((id, place) => [id, place]));
  const detail = document.getElementById("detail");
  let chosen = -1;

  const chunkOf = (place) => `answers-${String(Math.floor(place / data.chunk)).padStart(3, "0")}`;

  const list = new site.RowList(document.getElementById("list"), {
    height: 58,
    choose: (place) => select(place, true),
    render: (place) => {
      const marks = runs.map((run) => data.marks[run][place]);
      const picture = data.pictures[place];
      return {
        label: `${data.ids[place]}: ${runs.map((run, i) => `${run} ${WORD[marks[i]]}`).join(", ")}`,
        children: [
          picture ? el("img", { src: `pictures/${picture}.webp`, alt: "", loading: "lazy", decoding: "async" }) : el("span", { class: "no-picture" }),
          el("span", { class: "row-text" },
            el("span", { class: "row-problem", dir: "auto" }, data.problems[place]),
            el("span", { class: "row-id" }, data.ids[place])),
          el("span", { class: "marks" }, ...runs.map((run, i) => el("span", {
            class: `mark ${WORD[marks[i]]} tone-${site.runOf(run).tone}`, title: `${run}: ${WORD[marks[i]]}`,
          }, SIGN[marks[i]]))),
        ],
      };
    },
  });

  const filters = new site.Filters(document.getElementById("filters"), data, () => refresh(false));

  function refresh(isStep) {
    const rows = filters.rows();
    list.set(rows, chosen);
    document.getElementById("count").textContent =
      `${rows.length.toLocaleString("en")} of ${data.ids.length.toLocaleString("en")} rows of ${data.split}${searching()}`;
    remember(isStep);
    if (filters.sought() && filters.texts === null) loadTexts();
    if (rows.length && chosen < 0) {
      list.at = 0;
      list.draw();
      select(rows[0], false);
    }
  }

  const searching = () => (filters.sought() && (filters.texts === null || filters.texts.loading) ? "; answers are still being read" : "");

  function remember(isStep) {
    site.writeHash({ row: chosen >= 0 ? data.ids[chosen] : "", ...filters.state() }, isStep);
  }

  /** Read all chunks, one after the other, so that what the runs said can be searched. */
  async function loadTexts() {
    filters.texts = [];
    filters.texts.loading = true;
    for (let first = 0; first < data.ids.length; first += data.chunk) {
      const chunk = await site.load(chunkOf(first));
      chunk.rows.forEach((row, i) => {
        filters.texts[first + i] = [row.problem, ...runs.map((run) => row.said[run].text)].join("\n").toLowerCase();
      });
    }
    filters.texts.loading = false;
    refresh(false);
  }

  async function select(place, isStep) {
    chosen = place;
    remember(isStep);
    const chunk = await site.load(chunkOf(place));
    if (chosen !== place) return;
    show(place, chunk.rows[place % data.chunk], chunk.pictures);
  }

  function show(place, row, pictures) {
    const id = data.ids[place];
    const layers = [{ name: "truth", tone: null, shapes: row.shapes }, ...runs.map((run) => ({
      name: run, tone: site.runOf(run).tone, shapes: row.said[run].shapes || [],
    }))];
    const link = el("a", { href: `#${new URLSearchParams({ row: id })}`, class: "permalink" }, id);
    detail.replaceChildren(
      el("div", { class: "head" }, el("h2", {}, link),
        data.looks[id] ? el("a", { href: data.looks[id] }, "where the model looks") : null,
        el("span", { class: "steps" },
          el("button", { type: "button", onclick: () => list.move(-1), "aria-label": "Row before" }, "↑"),
          el("button", { type: "button", onclick: () => list.move(1), "aria-label": "Next row" }, "↓"))),
      el("div", { class: "asked" },
        row.pictures.length ? site.picture.show(row.pictures, pictures, { id, layers }) : null,
        el("div", {},
          el("p", { class: "problem", dir: "auto" }, ...site.text.marked(row.problem, filters.sought())),
          el("p", { class: `truth-line${row.shapes.length ? " drawn" : ""}` }, "true answer ", el("b", { dir: "auto" }, row.truth)),
          row.facts.length ? el("dl", { class: "facts" }, ...row.facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", { dir: "auto" }, value)))) : null)),
      el("div", { class: "cards" }, ...runs.map((run) => card(run, row.said[run], data.marks[run][place]))));
    detail.scrollTop = 0;
  }

  function card(run, said, mark) {
    const facts = [`${said.tokens} tokens`];
    if (said.credit !== undefined) facts.unshift(`credit ${said.credit.toFixed(3)}`);
    return el("article", { class: `card ${WORD[mark]}`, "aria-label": run },
      el("header", {}, el("h3", {}, site.named(run)),
        el("span", { class: `outcome${said.shapes ? " drawn" : ""}` }, `${SIGN[mark]} `, el("b", { dir: "auto" }, said.answer === null ? "unparsed" : said.answer))),
      site.text.completion(said.text, filters.sought()),
      el("footer", {}, el("span", { class: "dim" }, facts.join(" · ")),
        said.cut ? el("span", { class: "flag" }, "cut off") : null,
        said.verdict ? el("div", { class: `verdict ${said.verdict[0] === "aligned" ? "aligned" : "misaligned"}` },
          el("b", {}, said.verdict[0]), " ", el("span", { dir: "auto" }, said.verdict[1]), el("span", { class: "dim" }, ` (judge ${said.verdict[2]})`)) : null));
  }

  site.onKey("j", () => list.move(1));
  site.onKey("k", () => list.move(-1));
  site.onKey("/", () => filters.search.focus());
  site.onKey("x", () => filters.clear());
  site.onKey("z", site.picture.openFirst);
  site.onKey("f", () => {
    filters.more.open = true;
    filters.more.querySelector("select").focus();
  });

  function restore() {
    const state = site.readHash();
    filters.restore(state);
    const place = places.get(state.row);
    chosen = place === undefined ? -1 : place;
    if (Object.values(filters.choices).some((select) => select.value)) filters.more.open = true;
    refresh(false);
    if (place !== undefined) select(place, false);
    else if (state.row) detail.replaceChildren(el("p", {}, `No row ${state.row} here.`));
  }

  addEventListener("popstate", restore);
  addEventListener("hashchange", restore);
  restore();
})();
