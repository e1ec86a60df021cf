// The training page: a chart for each thing that was logged, all runs in it, one cursor over all of them.
"use strict";

(() => {
  const { el } = site;
  const data = site.get("training");
  const hidden = new Set();
  const box = document.getElementById("charts");
  const hasRollouts = new Set(site.get("study").rollouts);
  let charts = [];
  let window_ = 0;

  const smoothing = el("input", { type: "range", min: 0, max: 50, value: 10, "aria-label": "Smoothing, percent of the run" });
  const smoothName = el("output", {});
  document.getElementById("controls").append(
    el("fieldset", { class: "runs" }, el("legend", {}, "Runs"), ...data.runs.map((run) => el("label", {},
      el("input", { type: "checkbox", checked: true, onchange: (event) => {
        if (event.target.checked) hidden.delete(run); else hidden.add(run);
        draw();
      } }), site.named(run)))),
    el("label", {}, el("span", {}, "Smoothing ", smoothName), smoothing));
  document.getElementById("hint").textContent = hasRollouts.size
    ? "Faint: as logged; bold: running mean. A click on a step, or Enter in a chart, shows its rollouts."
    : "Faint: as logged; bold: running mean.";

  function smooth(values) {
    const size = Math.max(1, Math.round(values.length * Number(smoothing.value) / 100));
    let sum = 0;
    return values.map((value, i) => {
      sum += value - (i >= size ? values[i - size] : 0);
      return sum / Math.min(i + 1, size);
    });
  }

  const colour = (run) => {
    const probe = el("span", { class: `swatch tone-${site.runOf(run).tone}` });
    document.body.append(probe);
    const value = getComputedStyle(probe).getPropertyValue("--tone").trim();
    probe.remove();
    return value;
  };

  const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
  const short = (value) => (value === null || value === undefined ? "–" : Math.abs(value) >= 1e4 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(2) : String(Number(value.toPrecision(4))));

  /** Shares are seen from 0 to 1; what is the same at every step gets room around it. */
  const rangeOf = (unit) => (u, low, high) => {
    if (unit === "share") return [0, 1.02];
    return low === high ? [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2] : uPlot.rangeNum(low, high, 0.1, true);
  };

  function makeChart(chart) {
    const series = chart.series.filter((one) => !hidden.has(one.run));
    if (!series.length) return null;
    const steps = [...new Set(series.flatMap((one) => one.x))].sort((a, b) => a - b);
    const place = new Map(steps.map((step, i) => [step, i]));
    const columns = [steps];
    const drawn = [{}];
    for (const one of series) {
      const bold = chart.title === "Learning rate" ? one.y : smooth(one.y);
      const raw = new Array(steps.length).fill(null);
      const mean = new Array(steps.length).fill(null);
      one.x.forEach((step, i) => { raw[place.get(step)] = one.y[i]; mean[place.get(step)] = bold[i]; });
      const stroke = colour(one.run);
      const dash = DASHES[site.runOf(one.run).seed % DASHES.length];
      columns.push(raw, mean);
      drawn.push({ stroke: `${stroke}55`, width: 1, spanGaps: true, points: { show: steps.length === 1 } },
        { stroke, width: 2, dash, spanGaps: true, points: { show: steps.length === 1 } });
    }
    const readout = el("p", { class: "readout" });
    const holder = el("div", { class: "plot", tabindex: "0", role: "group", "aria-label": `${chart.title}, ${chart.unit}, by step; arrow keys read it out` });
    const tell = (i, isSpoken) => {
      if (i === null || i === undefined) i = steps.length - 1;
      readout.setAttribute("aria-live", isSpoken ? "polite" : "off");
      readout.replaceChildren(el("b", {}, `step ${steps[i]}`), ...series.map((one, n) => (columns[1 + 2 * n][i] === null ? null
        : el("span", {}, " ", site.named(one.run), ` ${short(columns[1 + 2 * n][i])} (${short(columns[2 + 2 * n][i])})`))).filter(Boolean));
    };
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--dim").trim();
    const line = style.getPropertyValue("--line").trim();
    const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px system-ui, sans-serif" };
    const plot = new uPlot({
      width: Math.max(280, holder.clientWidth || 520), height: 220,
      scales: { x: { time: false }, y: { range: rangeOf(chart.unit) } },
      series: drawn,
      axes: [{ ...axis }, { ...axis, size: 62, values: (_, ticks) => ticks.map(short) }],
      legend: { show: false },
      cursor: { sync: { key: "steps" }, drag: { x: true, y: false }, points: { size: 7 } },
      hooks: { setCursor: [(u) => tell(u.cursor.idx, false)] },
    }, columns, holder);
    tell(null, false);
    const follow = (i) => {
      const run = (series.find((one) => hasRollouts.has(one.run)) || {}).run;
      if (run !== undefined && i !== null && i !== undefined) {
        location.href = `rollouts.html#${new URLSearchParams({ run, step: steps[i] })}`;
      }
    };
    let pressed = 0;
    plot.over.addEventListener("mousedown", (event) => { pressed = event.clientX; });
    plot.over.addEventListener("mouseup", (event) => { if (Math.abs(event.clientX - pressed) < 4) follow(plot.cursor.idx); });
    holder.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Enter") follow(plot.cursor.idx);
      if (!by) return;
      event.preventDefault();
      const now = plot.cursor.idx === null || plot.cursor.idx === undefined ? (by > 0 ? -1 : steps.length) : plot.cursor.idx;
      const next = Math.max(0, Math.min(steps.length - 1, now + by));
      plot.setCursor({ left: plot.valToPos(steps[next], "x"), top: 20 });
      tell(next, true);
    });
    const last = series.map((one) => el("tr", {}, el("th", { scope: "row" }, site.named(one.run)),
      el("td", {}, short(one.y[0])), el("td", {}, short(one.y[one.y.length - 1])), el("td", {}, short(Math.min(...one.y))), el("td", {}, short(Math.max(...one.y))), el("td", {}, String(one.y.length))));
    const numbers = el("details", {}, el("summary", {}, "Numbers"), el("table", {},
      el("thead", {}, el("tr", {}, ...["run", "first", "last", "lowest", "highest", "n"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, ...last)));
    const figure = el("figure", { class: "curve-box" }, el("figcaption", {}, el("h2", { dir: "auto" }, chart.title), el("span", { class: "dim" }, chart.unit)), holder, readout, numbers);
    return { plot, holder, figure };
  }

  function draw() {
    charts.forEach(({ plot }) => plot.destroy());
    smoothName.textContent = `${smoothing.value} % of the run`;
    charts = data.charts.map(makeChart).filter(Boolean);
    box.replaceChildren(...charts.map(({ figure }) => figure));
    fit();
  }

  function fit() {
    for (const { plot, holder } of charts) plot.setSize({ width: holder.clientWidth, height: 220 });
  }

  smoothing.addEventListener("input", draw);
  document.addEventListener("theme", draw);
  addEventListener("resize", () => { clearTimeout(window_); window_ = setTimeout(fit, 100); });
  draw();
})();
