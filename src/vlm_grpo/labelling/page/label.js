"use strict";
// The labelling page: shows what the server says is next, and sends what was said of it. Texts of models are never markup.

const at = (id) => document.getElementById(id);
let state = null; // what the server last said
let busy = false;
let looked = 0; // milliseconds that the item has been looked at
let since = null; // when it was last shown, null while the page is hidden

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function say(text) {
  at("message").textContent = text;
}

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new Error("The server does not answer: start the same command again, and open its new address.");
  }
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error);
  return answer;
}

function who() {
  return `?annotator=${encodeURIComponent(state.annotator)}`;
}

function show(next) {
  state = next;
  at("name").hidden = state.annotator !== null;
  at("item").hidden = !state.item;
  at("results").hidden = state.annotator === null || Boolean(state.item);
  if (state.annotator === null) return at("annotator").focus();
  at("who").textContent = state.annotator;
  at("progress").max = state.total;
  at("progress").value = state.done;
  at("count").textContent = `${state.done} of ${state.total} labelled`;
  at("instruction").textContent = state.instruction;
  at("undo").disabled = state.done === 0;
  if (!state.item) return showResults();
  const item = state.item;
  at("pictures").replaceChildren(...pictures(item));
  at("texts").replaceChildren(...texts(item));
  at("note").value = "";
  at("choices").hidden = item.choices.length === 0;
  at("choices").replaceChildren(...item.choices.map(choice));
  at("entry").hidden = item.choices.length > 0;
  at("entry-label").textContent = item.entry;
  at("said").value = "";
  looked = 0;
  since = document.hidden ? null : performance.now();
  if (!at("entry").hidden) at("said").focus();
  else document.activeElement.blur();
  window.scrollTo(0, 0);
}

function pictures(item) {
  return item.pictures.map((path, number) => {
    const image = element("img", undefined, { src: path, alt: `picture ${number + 1}` });
    image.addEventListener("load", () => image.classList.toggle("small", image.naturalWidth < 300));
    image.addEventListener("error", () => {
      image.replaceWith(element("p", "This picture cannot be shown: is its folder given with --images?"));
    });
    return image;
  });
}

function texts(item) {
  return item.texts.flatMap(({ name, text }) => [element("dt", name), element("dd", text, { dir: "auto", tabindex: "0" })]);
}

function choice({ key, name, meaning }) {
  const button = element("button", undefined, { type: "button" });
  const words = element("span", name.replaceAll("_", " "));
  if (meaning) words.append(element("span", ` ${meaning}`, { class: "meaning" }));
  button.append(element("kbd", key), words);
  button.addEventListener("click", () => label(key));
  return button;
}

async function act(path, more = {}) {
  if (busy) return;
  busy = true;
  say("");
  try {
    show(await ask(path, { annotator: state.annotator, ...more }));
  } catch (error) {
    say(error.message);
  } finally {
    busy = false;
  }
}

function label(said) {
  const seconds = (looked + (since === null ? 0 : performance.now() - since)) / 1000;
  return act("label", { place: state.item.place, said, note: at("note").value, seconds });
}

async function showResults() {
  let results;
  try {
    results = await ask(`results${who()}`);
  } catch (error) {
    return say(error.message);
  }
  at("tables").replaceChildren(...results.tables.flatMap(table));
  at("disputed-title").textContent = results.disputed.length
    ? `Where raters differ: ${results.disputed.length}` : "No two raters differ";
  at("disputed").replaceChildren(...results.disputed.map(disputed));
}

function table({ title, header, rows, notes }) {
  const grid = element("table");
  grid.append(element("caption", title));
  const head = element("tr");
  head.append(...header.map((cell) => (cell ? element("th", cell, { scope: "col" }) : element("td", ""))));
  grid.append(head);
  for (const row of rows) {
    const line = element("tr");
    line.append(...row.map((cell, i) => (i ? element("td", cell) : element("th", cell, { scope: "row" }))));
    grid.append(line);
  }
  const box = element("div", undefined, { class: "table", tabindex: "0", role: "region", "aria-label": title });
  box.append(grid);
  const list = element("ul", undefined, { class: "notes" });
  list.append(...notes.map((note) => element("li", note)));
  return notes.length ? [box, list] : [box];
}

function disputed(item) {
  const article = element("article");
  const sides = element("div", undefined, { class: "sides" });
  const left = element("div");
  left.append(...pictures(item));
  const right = element("div");
  const said = element("dl", undefined, { class: "said" });
  for (const { who: name, what, note } of item.said) {
    const one = element("div");
    one.append(element("dt", name), element("dd", what.replaceAll("_", " "), { class: "what" }));
    if (note) one.append(element("dd", note, { dir: "auto" }));
    said.append(one);
  }
  const shown = element("dl", undefined, { class: "texts" });
  shown.append(...texts(item));
  right.append(shown, said);
  sides.append(left, right);
  article.append(sides);
  return article;
}

at("name").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    say("");
    show(await ask(`state?annotator=${encodeURIComponent(at("annotator").value)}`));
  } catch (error) {
    say(error.message);
  }
});
at("entry").addEventListener("submit", (event) => {
  event.preventDefault();
  label(at("said").value);
});
at("skip").addEventListener("click", () => act("skip", { place: state.item.place }));
at("undo").addEventListener("click", () => act("undo"));
at("undo-last").addEventListener("click", () => act("undo"));
at("zoom").addEventListener("click", () => document.body.classList.toggle("enlarged"));

document.addEventListener("visibilitychange", () => {
  if (document.hidden && since !== null) {
    looked += performance.now() - since;
    since = null;
  } else if (!document.hidden) {
    since = performance.now();
  }
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !state) return;
  if (event.target.matches("input, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.toLowerCase();
  if (key === "u" && state.done) return void act("undo");
  if (!state.item || event.repeat) return;
  const chosen = state.item.choices.find((one) => one.key === key);
  if (chosen) label(key);
  else if (key === "s") act("skip", { place: state.item.place });
  else if (key === "z") at("zoom").click();
  else if (key === "n") at("note").focus();
  else return;
  event.preventDefault();
});

ask("state").then(show, (error) => say(error.message));
