// A group of rollouts as the page shows it: the prompt with its picture, and the completions side by side.
"use strict";

site.groups = (() => {
  const { el } = site;
  const [STEP, ROW, MEAN, SPREAD, RIGHT, UNPARSED, CUT, PROBES, CHUNK, PLACE] = Array.from({ length: 10 }, (_, i) => i);

  const FIELDS = { STEP, ROW, MEAN, SPREAD, RIGHT, UNPARSED, CUT, PROBES, CHUNK, PLACE };

  const chunkName = (run, group) => `rollouts-${run}-${String(group[CHUNK]).padStart(3, "0")}`;

  /** The text and numbers of `group` of the run with number `run`. */
  async function read(run, group) {
    const chunk = await site.load(chunkName(run, group));
    return { asked: chunk.rows[group[ROW]], said: chunk.groups[group[PLACE]], pictures: chunk.pictures };
  }

  const signed = (value) => (Math.abs(value) < 0.005 ? "0.00" : `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`);

  /** The colour's strength of an advantage: 0 to 4 in either direction. */
  const strength = (value) => (Math.abs(value) < 0.005 ? "zero" : `${value > 0 ? "up" : "down"}-${Math.min(4, Math.ceil(Math.abs(value) * 2))}`);

  function card(one, names, place, sought) {
    const flags = [];
    if (one.marks.includes("u")) flags.push("unparsed");
    if (one.marks.includes("c")) flags.push("cut off");
    flags.push(...(one.probes || []).map((probe) => `probe: ${probe}`));
    const used = one.shaped === undefined ? one.advantage : one.shaped;
    const said = one.turns ? el("div", {}, ...one.turns.map(([role, text]) => el("div", { class: `turn ${role === "assistant" ? "assistant" : "other"}` },
      el("span", { class: "part-name" }, role), role === "assistant" ? site.text.completion(text, sought) : el("p", { dir: "auto" }, text))))
      : site.text.completion(one.text, sought);
    return el("article", { class: `card rollout advantage-${strength(used)}`, "aria-label": `completion ${place + 1}` },
      el("header", {}, el("h3", {}, `${place + 1}`),
        el("span", { class: `outcome${one.shapes ? " drawn" : ""}` }, one.marks.includes("r") ? "✓ " : one.marks.includes("u") ? "? " : "", el("b", { dir: "auto" }, one.answer === null ? "unparsed" : one.answer),
          one.as_said ? el("span", { class: "dim" }, " in the model's frame") : null),
        el("span", { class: "advantage", title: "advantage" }, "advantage ", el("b", {}, signed(one.advantage)), one.shaped === undefined ? "" : ` → ${signed(one.shaped)}`)),
      said,
      el("footer", {},
        el("dl", { class: "rewards" }, ...names.map((name, i) => el("div", {}, el("dt", {}, name), el("dd", {}, one.rewards[i] === null ? "–" : String(Math.round(one.rewards[i] * 1000) / 1000))))),
        ...flags.map((flag) => el("span", { class: "flag" }, flag))));
  }

  /** The group's element; `heading` says which it is. */
  function show({ asked, said, pictures }, { id, names, heading, sought }) {
    const layers = [{ name: "truth", tone: null, shapes: asked.shapes }, ...said.map((one, place) => ({
      name: `completion ${place + 1}`, label: String(place + 1), shapes: one.shapes || [],
      tone: `advantage-${strength(one.shaped === undefined ? one.advantage : one.shaped).split("-")[0]}`,
    }))];
    return el("div", { class: "one-group" },
      el("div", { class: "head" }, el("h2", {}, heading)),
      el("div", { class: "asked" },
        asked.pictures.length ? site.picture.show(asked.pictures, pictures, { id, layers }) : null,
        el("div", {}, el("p", { class: "problem", dir: "auto" }, asked.problem),
          el("p", { class: `truth-line${asked.shapes.length ? " drawn" : ""}` }, "true answer ", el("b", { dir: "auto" }, asked.truth)),
          el("p", { class: "dim" }, `row ${id}`))),
      el("div", { class: "cards" }, ...said.map((one, place) => card(one, names, place, sought))));
  }

  return { FIELDS, read, show, chunkName };
})();
