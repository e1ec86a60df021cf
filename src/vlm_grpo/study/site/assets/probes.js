// The probes page: rows that were asked again, each with what was said before beside what was said under the probe.
"use strict";

(() => {
  const { el } = site;
  const answers = site.get("answers");
  const arms = site.get("probes").arms;
  const SIGN = { r: "✓", w: "✗", u: "?" };
  const WORD = { r: "right", w: "wrong", u: "unparsed" };
  const KEPT = { s: "the answer stays", c: "another answer", p: "the pushed answer" };
  const WHICH = [
    ["", "all that were asked"], ["s", KEPT.s], ["cp", "another answer, or none"], ["p", KEPT.p],
    ["lost", "right before, not under the probe"], ["won", "right under the probe only"], ["-", "could not be asked"],
  ];
  const detail = document.getElementById("detail");
  const spoken = (probe) => probe.replaceAll("_", " ");
  let chosen = -1;

  const select = (name, options) => el("select", { name, onchange: () => refresh(true) },
    ...options.map(([value, text]) => el("option", { value }, text)));
  const choose = {
    arm: select("arm", arms.map((arm) => [arm.label, arm.label])),
    probe: select("probe", []),
    which: select("which", WHICH),
  };
  document.getElementById("choose").append(
    el("label", {}, "Run", choose.arm), el("label", {}, "Probe", choose.probe), el("label", {}, "Rows", choose.which));
  document.getElementById("choose").addEventListener("submit", (event) => event.preventDefault());

  const arm = () => arms.find((one) => one.label === choose.arm.value);
  const marks = () => arm().probes[choose.probe.value];
  const before = (place) => answers.marks[arm().run][place];
  const chunkOf = (place) => String(Math.floor(place / answers.chunk)).padStart(3, "0");

  const list = new site.RowList(document.getElementById("list"), {
    height: 58,
    choose: (place) => show(place, true),
    render: (place) => {
      const picture = answers.pictures[place];
      const [was, is] = [before(place), marks().worth[place]];
      return {
        label: `${answers.ids[place]}: ${WORD[was]} before, ${WORD[is] || "not asked"} under the probe`,
        children: [
          picture ? el("img", { src: `pictures/${picture}.webp`, alt: "", loading: "lazy", decoding: "async" }) : el("span", { class: "no-picture" }),
          el("span", { class: "row-text" },
            el("span", { class: "row-problem", dir: "auto" }, answers.problems[place]),
            el("span", { class: "row-id" }, answers.ids[place])),
          el("span", { class: "marks" },
            el("span", { class: `mark plain ${WORD[was]}`, title: `before: ${WORD[was]}` }, SIGN[was]), "→",
            el("span", { class: `mark plain ${WORD[is] || ""}`, title: `under the probe: ${WORD[is] || "not asked"}` }, SIGN[is] || "–")),
        ],
      };
    },
  });

  function passes(place) {
    const { worth, stays } = marks();
    const which = choose.which.value;
    if (which === "-") return worth[place] === "-";
    if (!(worth[place] in SIGN)) return false;
    if (which === "lost") return before(place) === "r" && worth[place] !== "r";
    if (which === "won") return before(place) !== "r" && worth[place] === "r";
    return !which || which.includes(stays[place]);
  }

  /** The probes of the run chosen, keeping the one that was chosen where the run has it. */
  function offerProbes() {
    const kept = choose.probe.value;
    choose.probe.replaceChildren(...Object.keys(arm().probes).map((probe) => el("option", { value: probe }, spoken(probe))));
    if (kept in arm().probes) choose.probe.value = kept;
  }

  function refresh(isStep) {
    offerProbes();
    const rows = answers.ids.map((_, place) => place).filter(passes);
    const still = rows.includes(chosen) ? chosen : rows[0];
    list.set(rows, still);
    document.getElementById("count").textContent = `${rows.length.toLocaleString("en")} rows`;
    if (still === undefined) {
      chosen = -1;
      remember(isStep);
      detail.replaceChildren(el("p", { class: "dim" }, "No row."));
    } else show(still, isStep);
  }

  const remember = (isStep) => site.writeHash({
    arm: choose.arm.value, probe: choose.probe.value, which: choose.which.value, row: chosen >= 0 ? answers.ids[chosen] : "",
  }, isStep);

  async function show(place, isStep) {
    chosen = place;
    remember(isStep);
    const [own, changed] = await Promise.all([site.load(`answers-${chunkOf(place)}`), site.load(`probes-${chunkOf(place)}`)]);
    if (chosen !== place) return;
    const row = own.rows[place % answers.chunk];
    const asked = (changed.rows[place % answers.chunk].asked[choose.arm.value] || {})[choose.probe.value];
    const id = answers.ids[place];
    detail.replaceChildren(
      el("div", { class: "head" }, el("h3", {}, el("a", { href: `answers.html#${new URLSearchParams({ row: id })}`, class: "permalink" }, id)),
        el("span", { class: "steps" },
          el("button", { type: "button", onclick: () => list.move(-1), "aria-label": "Row before" }, "↑"),
          el("button", { type: "button", onclick: () => list.move(1), "aria-label": "Next row" }, "↓"))),
      el("div", { class: "beside" },
        side("before", row, own.pictures, { id, said: row.said[arm().run], mark: before(place), truth: row.truth }),
        asked ? side(spoken(choose.probe.value), { ...row, problem: asked.problem || row.problem, pictures: asked.pictures || row.pictures },
          asked.pictures ? changed.pictures : own.pictures,
          { id, said: asked, mark: marks().worth[place], truth: asked.truth, base: row, stays: marks().stays[place] })
          : el("div", { class: "side" }, el("h4", {}, spoken(choose.probe.value)), el("p", { class: "flag missing" }, marks().missing[id] || "not asked"))));
  }

  /** One of the two columns: what was shown and asked, and what was said to it. */
  function side(title, row, pictures, { id, said, mark, truth, base, stays }) {
    const shown = row.pictures.length ? site.picture.show(row.pictures, pictures, { id, effect: base && said.picture }) : null;
    const added = base && row.problem.endsWith(base.problem) ? row.problem.slice(0, row.problem.length - base.problem.length) : "";
    return el("div", { class: "side" },
      el("h4", {}, title),
      shown,
      base && said.picture ? el("p", { class: "note" }, { blank: "a white picture", mirrored: "mirrored", other: "another row's picture" }[said.picture]) : null,
      el("p", { class: "problem", dir: "auto" }, added ? el("span", { class: "given" }, added) : null, added ? base.problem : row.problem),
      el("p", { class: "truth-line" }, "true answer ", el("b", { dir: "auto" }, truth),
        said.pushed !== undefined ? el("span", {}, ", pushed to ", el("b", { dir: "auto" }, said.pushed)) : null),
      el("article", { class: `card ${WORD[mark]}`, "aria-label": title },
        el("header", {}, el("span", { class: "outcome" }, `${SIGN[mark]} `, el("b", { dir: "auto" }, said.answer === null ? "unparsed" : said.answer)),
          stays && said.answer !== null ? el("span", { class: "dim" }, KEPT[stays]) : null),
        site.text.completion(said.text, "", said.prefill || 0)));
  }

  function stepProbe(by) {
    const names = Object.keys(arm().probes);
    choose.probe.value = names[(names.indexOf(choose.probe.value) + by + names.length) % names.length];
    refresh(true);
  }

  site.onKey("j", () => list.move(1));
  site.onKey("k", () => list.move(-1));
  site.onKey("n", () => stepProbe(1));
  site.onKey("p", () => stepProbe(-1));
  site.onKey("z", site.picture.openFirst);

  function restore() {
    const state = site.readHash();
    choose.arm.value = arms.some((one) => one.label === state.arm) ? state.arm : arms[0].label;
    offerProbes();
    if (state.probe in arm().probes) choose.probe.value = state.probe;
    choose.which.value = WHICH.some(([value]) => value === state.which) ? state.which : "";
    chosen = answers.ids.indexOf(state.row);
    refresh(false);
  }

  addEventListener("popstate", restore);
  addEventListener("hashchange", restore);
  restore();
})();
