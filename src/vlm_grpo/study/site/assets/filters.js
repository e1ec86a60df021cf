// Which rows the answers page lists: choices as a form, kept in the address, and what each lets through.
"use strict";

site.Filters = class {
  /** Builds the form for the list's columns `data`; `changed()` is called when a choice was made. */
  constructor(form, data, changed) {
    Object.assign(this, { form, data, changed, choices: {}, texts: null });
    const { el } = site;
    const runs = Object.keys(data.marks);
    this.search = el("input", { type: "search", id: "search", placeholder: "Search in questions and answers", "aria-label": "Search" });
    this.search.addEventListener("input", () => { clearTimeout(this.timer); this.timer = setTimeout(changed, 150); });
    const more = el("details", { class: "more" }, el("summary", {}, "Filters ", el("span", { class: "dim active" })));
    const grid = el("div", { class: "choices" });
    for (const run of runs) {
      grid.append(this.choice(`is.${run}`, site.named(run), [["", "any"], ["r", "right"], ["w", "wrong"], ["u", "unparsed"]]));
    }
    if (runs.length > 1) {
      const pairs = runs.flatMap((a) => runs.filter((b) => b !== a).map((b) => [`${a}~${b}`, `${a} right, ${b} not`]));
      const apart = [["", "any"], ["~", "runs do not agree"], ...pairs];
      grid.append(this.choice("only", "Discordant", apart));
    }
    for (const slice of data.slices) {
      grid.append(this.choice(`in.${slice.name}`, slice.name, [["", "any"], ...slice.values.map((value) => [value, value])]));
    }
    for (const [run, said] of Object.entries(data.verdicts)) {
      grid.append(this.choice(`says.${run}`, el("span", {}, "Judge on ", site.named(run)), [["", "any"], ...said.values.map((value) => [value, value])]));
    }
    more.append(grid, el("button", { type: "button", class: "clear", onclick: () => this.clear() }, "Clear filters"));
    this.more = more;
    form.append(this.search, more);
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  choice(key, label, options) {
    const select = site.el("select", { name: key, onchange: () => this.changed() },
      ...options.map(([value, text]) => site.el("option", { value }, text)));
    this.choices[key] = select;
    return site.el("label", {}, site.el("span", {}, label), select);
  }

  /** Choices as texts, for the address. */
  state() {
    const chosen = Object.entries(this.choices).filter(([, select]) => select.value).map(([key, select]) => [key, select.value]);
    return { ...Object.fromEntries(chosen), q: this.search.value };
  }

  restore(state) {
    for (const [key, select] of Object.entries(this.choices)) select.value = state[key] || "";
    for (const select of Object.values(this.choices)) if (select.selectedIndex < 0) select.value = "";
    this.search.value = state.q || "";
  }

  clear() {
    this.restore({});
    this.changed();
  }

  /** The rows' places that pass, in order. The texts of answers are searched where `texts` has them. */
  rows() {
    const { ids, problems, marks, slices, verdicts } = this.data;
    const tests = [];
    for (const [run, of] of Object.entries(marks)) {
      const wanted = this.choices[`is.${run}`].value;
      if (wanted) tests.push((i) => of[i] === wanted);
    }
    const only = this.choices.only ? this.choices.only.value : "";
    if (only === "~") {
      const all = Object.values(marks);
      tests.push((i) => all.some((of) => (of[i] === "r") !== (all[0][i] === "r")));
    } else if (only) {
      const [a, b] = only.split("~").map((run) => marks[run]);
      tests.push((i) => a[i] === "r" && b[i] !== "r");
    }
    for (const slice of slices) {
      const wanted = this.choices[`in.${slice.name}`].value;
      if (wanted) {
        const place = slice.values.indexOf(wanted);
        tests.push((i) => slice.of[i] === place);
      }
    }
    for (const [run, said] of Object.entries(verdicts)) {
      const wanted = this.choices[`says.${run}`].value;
      if (wanted) {
        const place = said.values.indexOf(wanted);
        tests.push((i) => said.of[i] === place);
      }
    }
    const sought = this.sought();
    if (sought) {
      tests.push((i) => ids[i].toLowerCase().includes(sought) || problems[i].toLowerCase().includes(sought)
        || (this.texts !== null && this.texts[i] !== undefined && this.texts[i].includes(sought)));
    }
    this.more.querySelector(".active").textContent = tests.length - (sought ? 1 : 0) ? `(${tests.length - (sought ? 1 : 0)} set)` : "";
    return ids.map((_, i) => i).filter((i) => tests.every((test) => test(i)));
  }

  sought() {
    return this.search.value.trim().toLowerCase();
  }
};
