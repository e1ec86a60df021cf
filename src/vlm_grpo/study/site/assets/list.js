// A list of any length of which only the rows in sight are elements. The arrow keys move in it, as j and k do.
"use strict";

site.RowList = class {
  /** `render(item)` gives the children of a row's element and its label; `choose(item)` is called with a row chosen. */
  constructor(box, { height, render, choose }) {
    Object.assign(this, { box, height, render, choose, items: [], at: -1, shown: new Map() });
    this.space = site.el("div", { class: "space", role: "presentation" });
    box.append(this.space);
    box.addEventListener("scroll", () => this.later(), { passive: true });
    box.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      this.move(step);
    });
    new ResizeObserver(() => this.later()).observe(box);
  }

  /** Show `items`; the one chosen stays in sight if it is among them. */
  set(items, chosen) {
    this.items = items;
    this.shown.forEach((element) => element.remove());
    this.shown.clear();
    this.space.style.height = `${items.length * this.height}px`;
    this.at = items.indexOf(chosen);
    if (this.at >= 0) this.reveal();
    else this.box.scrollTop = 0;
    this.draw();
  }

  move(step) {
    if (!this.items.length) return;
    this.at = Math.max(0, Math.min(this.items.length - 1, this.at + step));
    this.reveal();
    this.draw();
    this.choose(this.items[this.at]);
  }

  reveal() {
    const top = this.at * this.height;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    const bottom = top + this.height - this.box.clientHeight;
    if (bottom > this.box.scrollTop) this.box.scrollTop = bottom;
  }

  later() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - 6);
    const last = Math.min(this.items.length, Math.ceil((this.box.scrollTop + this.box.clientHeight) / this.height) + 6);
    for (const [place, element] of this.shown) {
      if (place < first || place >= last) {
        element.remove();
        this.shown.delete(place);
      }
    }
    for (let place = first; place < last; place += 1) {
      let element = this.shown.get(place);
      if (!element) {
        const item = this.items[place];
        const { children, label } = this.render(item);
        element = site.el("div", {
          class: "row", role: "option", id: `row-${place}`, "aria-label": label,
          "aria-setsize": this.items.length, "aria-posinset": place + 1,
          onclick: () => { this.at = place; this.draw(); this.choose(item); },
        }, ...children);
        element.style.transform = `translateY(${place * this.height}px)`;
        this.shown.set(place, element);
        this.space.append(element);
      }
      element.setAttribute("aria-selected", String(place === this.at));
    }
    if (this.at >= 0) this.box.setAttribute("aria-activedescendant", `row-${this.at}`);
    else this.box.removeAttribute("aria-activedescendant");
  }
};
