// A completion as the page shows it: reasoning, answer and the rest told apart by their tags, all of it text.
"use strict";

site.text = (() => {
  const { el } = site;
  const TAG = /(<\/?(?:think|answer|chars)>)/g;

  /** The text with what is searched for marked. */
  function marked(text, sought) {
    if (!sought) return [text];
    const pieces = [];
    const lower = text.toLowerCase();
    let from = 0;
    for (let at = lower.indexOf(sought); at >= 0; at = lower.indexOf(sought, from)) {
      pieces.push(text.slice(from, at), el("mark", {}, text.slice(at, at + sought.length)));
      from = at + sought.length;
    }
    return [...pieces, text.slice(from)];
  }

  /** The text with its first `given` signs told apart from what the model says itself. */
  function spoken(text, sought, given) {
    if (given <= 0) return marked(text, sought);
    return [el("span", { class: "given", title: "put into its mouth" }, ...marked(text.slice(0, given), sought)), ...marked(text.slice(given), sought)];
  }

  /** Paragraphs of the completion `text`: what stands in think, in answer, and outside of both. Its first `given` signs
      were put into the model's mouth, and are shown as that. */
  function completion(text, sought, given = 0) {
    const box = el("div", { class: "completion" });
    let kind = "rest";
    let at = 0;
    for (const piece of text.split(TAG)) {
      const begins = at + piece.length - piece.trimStart().length;
      at += piece.length;
      if (/^<(think|answer|chars)>$/.test(piece)) kind = piece === "<think>" ? "reasoning" : "answer";
      else if (/^<\//.test(piece) && TAG.test(piece)) kind = "rest";
      else if (piece.trim() !== "") {
        const label = { reasoning: "reasoning", answer: "answer", rest: "outside of tags" }[kind];
        box.append(el("div", { class: `part ${kind}` },
          el("span", { class: "part-name" }, label), el("p", { dir: "auto" }, ...spoken(piece.trim(), sought, given - begins))));
      }
      TAG.lastIndex = 0;
    }
    if (!box.childElementCount) box.append(el("p", { class: "dim" }, "says nothing"));
    requestAnimationFrame(() => {
      if (box.scrollHeight <= box.clientHeight) return;
      box.tabIndex = 0; // what scrolls is reached by keys
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "completion");
    });
    return box;
  }

  return { completion, marked };
})();
