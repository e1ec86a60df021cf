// Pictures with shapes drawn over them, and a viewer that zooms by wheel, buttons and keys.
"use strict";

site.picture = (() => {
  const { el } = site;
  const SVG = "http://www.w3.org/2000/svg";

  function svg(tag, attributes) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  }

  const isTiny = (width, height) => Math.max(width, height) < 160;

  /** An SVG as large as the picture with the shapes of each layer: {name, tone, shapes}; tone null is the truth, a
      text a class of its own, with `label` beside its box to choose it. */
  function overlay(width, height, layers) {
    const drawn = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "overlay", "aria-hidden": "true" });
    for (const layer of [...layers].reverse()) { // the truth, named first, lies on top
      const group = svg("g", { class: layer.tone === null ? "truth" : typeof layer.tone === "string" ? layer.tone : `tone-${layer.tone}`, "data-layer": layer.name });
      for (const shape of layer.shapes) {
        group.append(svg("polygon", { points: shape.points.join(" "), "vector-effect": "non-scaling-stroke" }));
        if (shape.label) {
          const label = svg("text", { x: shape.points[0], y: shape.points[1], dy: "-0.3em" });
          label.setAttribute("font-size", Math.max(width, height) / (isTiny(width, height) ? 15 : 22));
          label.textContent = shape.label;
          group.append(label);
        }
      }
      drawn.append(group);
    }
    return drawn;
  }

  function frame(source, entry, alt, layers, effect) {
    const [width, height] = entry;
    const image = el("img", { src: source, alt, width, height, decoding: "async" });
    const box = el("span", { class: "frame" }, image);
    if (isTiny(width, height)) box.classList.add("tiny");
    if (effect) box.classList.add(effect);
    if (layers.some((layer) => layer.shapes.length)) box.append(overlay(width, height, layers));
    return box;
  }

  /** The pictures `keys` of a row as buttons that open the viewer; `entries` say what is known of each, and `effect`
      ("blank", "mirrored") what became of them. */
  function show(keys, entries, { id, layers = [], effect = null }) {
    const box = el("div", { class: "pictures-box" });
    const row = el("div", { class: "pictures" });
    box.append(row);
    keys.forEach((key, place) => {
      const alt = keys.length > 1 ? `picture ${place + 1} of row ${id}` : `picture of row ${id}`;
      const over = place === 0 ? layers : [];
      row.append(el("button", {
        type: "button", class: "picture", title: "Whole picture (z)",
        onclick: () => open(key, entries[key], alt, over, effect),
      }, frame(`pictures/${key}.webp`, entries[key], alt, over, effect)));
    });
    const drawn = layers.filter((layer) => layer.shapes.length);
    if (drawn.length) {
      box.append(el("p", { class: "legend" }, ...drawn.map((layer) => el("label", {},
        el("input", { type: "checkbox", checked: true, "aria-label": layer.name, onchange: (event) => {
          for (const group of box.querySelectorAll(`[data-layer="${CSS.escape(layer.name)}"]`)) {
            group.style.display = event.target.checked ? "" : "none";
          }
        } }),
        layer.tone === null ? el("span", { class: "run" }, "truth") : layer.label ? layer.label : site.named(layer.name)))));
    }
    return box;
  }

  function open(key, entry, alt, layers, effect) {
    const whole = entry[2];
    const moved = { scale: 1, x: 0, y: 0 };
    const picture = frame(whole || `pictures/${key}.webp`, entry, alt, layers, effect);
    picture.classList.remove("tiny");
    const stage = el("div", { class: "stage", tabindex: "0", "aria-label": `${alt}, ${entry[0]} × ${entry[1]} pixels` }, picture);
    const place = () => { picture.style.transform = `translate(${moved.x}px, ${moved.y}px) scale(${moved.scale})`; };
    const zoom = (factor) => {
      moved.scale = Math.max(1, Math.min(24, moved.scale * factor));
      if (moved.scale === 1) moved.x = moved.y = 0;
      place();
    };
    const button = (label, name, action) => el("button", { type: "button", "aria-label": name, onclick: action }, label);
    const dialog = el("dialog", { class: "viewer", "aria-label": alt },
      el("div", { class: "bar" },
        button("+", "Larger", () => zoom(1.5)), button("−", "Smaller", () => zoom(1 / 1.5)),
        button("Whole", "Whole", () => zoom(0)),
        el("span", { class: "dim" }, `${entry[0]} × ${entry[1]} pixels`),
        button("Close", "Close", () => dialog.close())),
      stage);
    stage.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15);
    }, { passive: false });
    stage.addEventListener("pointermove", (event) => {
      if (event.buttons !== 1) return;
      moved.x += event.movementX;
      moved.y += event.movementY;
      place();
    });
    dialog.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
      if (by) {
        event.preventDefault();
        moved.x += by[0];
        moved.y += by[1];
        place();
      }
      if (event.key === "+" || event.key === "=") zoom(1.5);
      if (event.key === "-") zoom(1 / 1.5);
    });
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
    stage.focus();
  }

  /** Open the first picture on the page. */
  function openFirst() {
    const first = document.querySelector("button.picture");
    if (first) first.click();
  }

  return { show, openFirst };
})();
