// The rollouts page: a slider over the steps, the groups of a step, what is surprising, a search, and two side by side.
"use strict";

(() => {
  const { el } = site;
  const all = site.get("rollouts");
  const F = site.groups.FIELDS;
  const numbers = new Map(all.map((one, place) => [one.run, place]));
  const stepsOf = all.map((one) => [...new Set(one.groups.map((group) => group[F.STEP]))]);
  const at = { run: 0, step: 0, group: 0, beside: "" };
  const MOST = 200;

  const of = () => all[at.run];
  const steps = () => stepsOf[at.run];
  const here = () => of().groups.filter((group) => group[F.STEP] === steps()[at.step]);

  // The controls.
  const runSelect = el("select", { "aria-label": "Run" }, ...all.map((one, place) => el("option", { value: place }, one.run)));
  const slider = el("input", { type: "range", min: 0, "aria-label": "Step", id: "slider" });
  const stepName = el("output", { for: "slider", class: "step-name" });
  const search = el("input", { type: "search", id: "search", placeholder: "Search in the run's texts", "aria-label": "Search" });
  const surprising = el("select", { "aria-label": "Surprising groups" });
  const beside = el("select", { "aria-label": "Beside it" });
  document.getElementById("controls").append(
    el("label", {}, el("span", {}, "Run"), runSelect),
    el("label", { class: "wide" }, el("span", {}, "Step ", stepName), slider),
    el("label", {}, el("span", {}, "Surprising"), surprising),
    el("label", {}, el("span", {}, "Beside it"), beside),
    el("label", {}, el("span", {}, "Search"), search));
  document.getElementById("controls").addEventListener("submit", (event) => event.preventDefault());

  const SURPRISES = [
    ["spread", "largest spread of rewards", (g) => g[F.SPREAD] > 0, (a, b) => b[F.SPREAD] - a[F.SPREAD]],
    ["rare", "right for the first few: at most a quarter", (g, n) => g[F.RIGHT] > 0 && g[F.RIGHT] <= n / 4, (a, b) => a[F.RIGHT] - b[F.RIGHT]],
    ["first", "right for the first time", null, null],
    ["probes", "a watched probe sees something", (g) => g[F.PROBES] > 0, (a, b) => b[F.PROBES] - a[F.PROBES]],
    ["unparsed", "most unparsed", (g) => g[F.UNPARSED] > 0, (a, b) => b[F.UNPARSED] - a[F.UNPARSED]],
    ["cut", "most cut off", (g) => g[F.CUT] > 0, (a, b) => b[F.CUT] - a[F.CUT]],
  ];

  /** Groups of rows that were never right at an earlier visit and now are. */
  function firstRight(groups) {
    const seen = new Map();
    return groups.filter((group) => {
      const before = seen.get(group[F.ROW]);
      seen.set(group[F.ROW], before || group[F.RIGHT] > 0);
      return before === false && group[F.RIGHT] > 0;
    });
  }

  function surprisesOf(name) {
    const [, , passes, order] = SURPRISES.find(([key]) => key === name);
    const size = of().size;
    const groups = passes ? of().groups.filter((group) => passes(group, size)).sort(order) : firstRight(of().groups);
    return groups;
  }

  function fillSurprising() {
    const options = SURPRISES.map(([name, label]) => [name, label, surprisesOf(name).length]).filter(([, , count]) => count);
    surprising.replaceChildren(el("option", { value: "" }, "choose …"),
      ...options.map(([name, label, count]) => el("option", { value: name }, `${label} (${count})`)));
  }

  /** A list of groups that lead to themselves. */
  function showList(title, groups, textOf) {
    const box = document.getElementById("found");
    box.hidden = false;
    box.replaceChildren(
      el("div", { class: "head" }, el("h2", {}, title), el("button", { type: "button", onclick: () => { box.hidden = true; surprising.value = ""; } }, "Close")),
      el("ol", {}, ...groups.slice(0, MOST).map((group) => el("li", {}, el("button", { type: "button", onclick: () => goTo(group) },
        el("b", {}, `step ${group[F.STEP]}`), ` ${of().rows[group[F.ROW]]}, mean reward ${group[F.MEAN]}, spread ${group[F.SPREAD]} `, textOf ? textOf(group) : "")))),
      groups.length > MOST ? el("p", { class: "dim" }, `the first ${MOST} of ${groups.length}`) : "");
  }

  function goTo(group) {
    at.step = steps().indexOf(group[F.STEP]);
    at.group = here().indexOf(group);
    at.beside = "";
    draw(true);
  }

  async function searchTexts() {
    const sought = search.value.trim().toLowerCase();
    const box = document.getElementById("found");
    if (!sought) { box.hidden = true; draw(false); return; }
    const run = at.run;
    const hits = new Map();
    const chunks = [...new Set(of().groups.map((group) => group[F.CHUNK]))];
    for (const number of chunks) {
      const chunk = await site.load(`rollouts-${run}-${String(number).padStart(3, "0")}`);
      if (run !== at.run || sought !== search.value.trim().toLowerCase()) return;
      for (const group of of().groups.filter((one) => one[F.CHUNK] === number)) {
        const one = chunk.groups[group[F.PLACE]].find((said) => said.text.toLowerCase().includes(sought));
        if (one) hits.set(group, one.text);
      }
    }
    showList(`${hits.size} groups say “${search.value.trim()}”`, [...hits.keys()], (group) => {
      const text = hits.get(group);
      const from = Math.max(0, text.toLowerCase().indexOf(sought) - 40);
      return el("span", { class: "excerpt", dir: "auto" }, ...site.text.marked(text.slice(from, from + 120), sought));
    });
    draw(false);
  }

  function fillBeside(group) {
    const id = of().rows[group[F.ROW]];
    const others = all.flatMap((one, run) => {
      const row = one.rows.indexOf(id);
      return row < 0 ? [] : one.groups.flatMap((other, place) => (other[F.ROW] === row && other !== group
        ? [[`${one.run}~${place}`, `${run === at.run ? "" : `${one.run}, `}step ${other[F.STEP]}`]] : []));
    });
    beside.replaceChildren(el("option", { value: "" }, others.length ? `nothing (${others.length} of this row)` : "rolled out once"),
      ...others.map(([value, label]) => el("option", { value }, label)));
    beside.disabled = !others.length;
    if (!others.some(([value]) => value === at.beside)) at.beside = "";
    beside.value = at.beside;
  }

  function drawStrip(groups) {
    document.getElementById("strip").replaceChildren(...groups.map((group, place) => el("button", {
      type: "button", "aria-pressed": String(place === at.group), class: group[F.SPREAD] > 0 ? "" : "idle",
      title: `${of().rows[group[F.ROW]]}${group[F.SPREAD] > 0 ? "" : ": all earn the same, no gradient"}`,
      onclick: () => { at.group = place; at.beside = ""; draw(true); },
    }, el("b", {}, String(place + 1)), el("span", {}, ` reward ${group[F.MEAN].toFixed(2)}`),
      group[F.RIGHT] >= 0 ? el("span", { class: "dim" }, ` ${group[F.RIGHT]} right`) : null,
      group[F.UNPARSED] ? el("span", { class: "flag" }, `${group[F.UNPARSED]} unparsed`) : null,
      group[F.CUT] ? el("span", { class: "flag" }, `${group[F.CUT]} cut off`) : null)));
  }

  let drawing = 0;

  async function draw(isStep) {
    const ticket = ++drawing;
    const groups = here();
    at.group = Math.max(0, Math.min(at.group, groups.length - 1));
    const group = groups[at.group];
    runSelect.value = at.run;
    slider.max = steps().length - 1;
    slider.value = at.step;
    slider.setAttribute("aria-valuetext", `step ${group[F.STEP]}`);
    stepName.textContent = `${group[F.STEP]} of ${steps()[steps().length - 1]}`;
    const left = of().left ? `; ${of().left} steps were left out to keep the folder small` : "";
    document.getElementById("count").textContent =
      `${of().groups.length.toLocaleString("en")} groups over ${steps().length} steps${left}; at this step ${groups.length} groups, ${groups.filter((one) => one[F.SPREAD] > 0).length} of them with a gradient`;
    drawStrip(groups);
    fillBeside(group);
    site.writeHash({ run: of().run, step: group[F.STEP], group: at.group || "", beside: at.beside }, isStep);
    const sought = search.value.trim().toLowerCase();
    const shown = [element(at.run, group, sought)];
    if (at.beside) {
      const cut = at.beside.lastIndexOf("~");
      const run = numbers.get(at.beside.slice(0, cut));
      shown.push(element(run, all[run].groups[Number(at.beside.slice(cut + 1))], sought));
    }
    const elements = await Promise.all(shown);
    if (ticket !== drawing) return;
    const box = document.getElementById("group");
    box.classList.toggle("pair", elements.length > 1);
    box.replaceChildren(...elements);
  }

  async function element(run, group, sought) {
    const heading = `${all[run].run}, step ${group[F.STEP]}: mean reward ${group[F.MEAN]}`;
    return site.groups.show(await site.groups.read(run, group), { id: all[run].rows[group[F.ROW]], names: all[run].rewards, heading, sought });
  }

  function moveStep(by) {
    at.step = Math.max(0, Math.min(steps().length - 1, at.step + by));
    draw(false);
  }

  function moveGroup(by) {
    const next = at.group + by;
    if (next >= 0 && next < here().length) at.group = next;
    else if (by > 0 && at.step < steps().length - 1) { at.step += 1; at.group = 0; }
    else if (by < 0 && at.step > 0) { at.step -= 1; at.group = Infinity; }
    at.beside = "";
    draw(false);
  }

  runSelect.addEventListener("change", () => {
    const step = steps()[at.step];
    at.run = Number(runSelect.value);
    at.step = Math.max(0, steps().findIndex((one) => one >= step));
    at.beside = "";
    fillSurprising();
    draw(true);
  });
  slider.addEventListener("input", () => { at.step = Number(slider.value); draw(false); });
  beside.addEventListener("change", () => { at.beside = beside.value; draw(true); });
  surprising.addEventListener("change", () => {
    if (surprising.value) showList(surprising.selectedOptions[0].textContent, surprisesOf(surprising.value));
    else document.getElementById("found").hidden = true;
  });
  search.addEventListener("input", () => { clearTimeout(search.timer); search.timer = setTimeout(searchTexts, 200); });
  site.onKey("h", () => moveStep(-1));
  site.onKey("l", () => moveStep(1));
  site.onKey("j", () => moveGroup(1));
  site.onKey("k", () => moveGroup(-1));
  site.onKey("/", () => search.focus());
  site.onKey("z", site.picture.openFirst);

  function restore() {
    const state = site.readHash();
    at.run = numbers.has(state.run) ? numbers.get(state.run) : 0;
    const step = Number(state.step);
    const place = steps().findIndex((one) => one >= step);
    at.step = state.step === undefined ? 0 : place < 0 ? steps().length - 1 : place;
    at.group = Number(state.group) || 0;
    at.beside = state.beside || "";
    fillSurprising();
    draw(false);
  }

  addEventListener("popstate", restore);
  addEventListener("hashchange", restore);
  restore();
})();
