// What all pages share: data that scripts bring, elements made from text, the address's hash, theme, keys and help.
"use strict";

const site = (() => {
  const values = {};
  const waiting = {};

  /** Called by each data file with what it holds. */
  function put(name, value) {
    values[name] = value;
    (waiting[name] || []).forEach((resolve) => resolve(value));
    delete waiting[name];
  }

  const get = (name) => values[name];

  /** The value of the data file `name`, loaded by a script of its own: a page from a disk may fetch nothing. */
  function load(name) {
    if (name in values) return Promise.resolve(values[name]);
    return new Promise((resolve, reject) => {
      if (waiting[name]) {
        waiting[name].push(resolve);
        return;
      }
      waiting[name] = [resolve];
      const script = document.createElement("script");
      script.src = `data/${name}.js`;
      script.onerror = () => {
        delete waiting[name];
        reject(new Error(`data/${name}.js cannot be read`));
      };
      document.head.append(script);
    });
  }

  /** An element; children are elements or texts, and a text stays a text whatever is in it. */
  function el(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  }

  const runOf = (name) => get("study").runs.find((run) => run.run === name) || { run: name, arm: name, tone: 0, seed: 0 };

  /** A run's name with its arm's colour before it. */
  function named(run) {
    const swatch = el("span", { class: `swatch tone-${runOf(run).tone}`, "aria-hidden": "true" });
    return el("span", { class: "run" }, swatch, el("span", { dir: "auto" }, run));
  }

  /** What the hash says, as a plain object of texts. */
  const readHash = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));

  /** Put what is not empty of `state` into the hash; the history grows only where `isStep`. */
  function writeHash(state, isStep) {
    const kept = Object.entries(state).filter(([, value]) => value !== "" && value !== null && value !== undefined);
    const hash = `#${new URLSearchParams(kept)}`;
    if (hash === location.hash || (hash === "#" && !location.hash)) return;
    if (isStep) history.pushState(null, "", hash);
    else history.replaceState(null, "", hash);
  }

  /** On pages of a training under way: look now and then whether there is more, and offer to show it. */
  function follow(seen) {
    const news = el("button", { type: "button", class: "news", onclick: () => location.reload() }, "There is more: show it");
    news.hidden = true;
    document.querySelector(".tools").prepend(news);
    setInterval(() => {
      delete values.stamp;
      document.querySelectorAll("script[src^='data/stamp.js']").forEach((script) => script.remove());
      load("stamp").then((now) => { news.hidden = now === seen; }, () => {});
    }, 15000);
  }

  const keys = {};
  const onKey = (key, action) => { keys[key] = action; };

  function isTyping(target) {
    return target.closest("input:not([type=checkbox]):not([type=range]), textarea, select") !== null;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    const action = keys[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  function stored(name) {
    try { return localStorage.getItem(name); } catch { return null; }
  }

  function setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new CustomEvent("theme"));
  }

  const system = matchMedia("(prefers-color-scheme: dark)");
  setTheme(stored("theme") || (system.matches ? "dark" : "light"));
  system.addEventListener("change", () => { if (!stored("theme")) setTheme(system.matches ? "dark" : "light"); });

  let beforePrint = "light";
  addEventListener("beforeprint", () => { beforePrint = document.documentElement.dataset.theme; setTheme("light"); });
  addEventListener("afterprint", () => setTheme(beforePrint));

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelector("nav [aria-current]").scrollIntoView({ block: "nearest", inline: "nearest" });
    const button = document.getElementById("theme");
    const label = () => { button.textContent = document.documentElement.dataset.theme === "dark" ? "Light" : "Dark"; };
    label();
    button.hidden = false;
    button.addEventListener("click", () => {
      const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("theme", theme); } catch { /* a page from a disk may have no store */ }
      setTheme(theme);
      label();
    });
    if (get("study").watched !== undefined) follow(get("study").watched);
    const help = document.getElementById("help");
    const helpButton = document.getElementById("help-button");
    helpButton.hidden = false;
    helpButton.addEventListener("click", () => help.showModal());
    onKey("?", () => help.showModal());
  });

  return { put, get, load, el, named, runOf, readHash, writeHash, onKey };
})();
