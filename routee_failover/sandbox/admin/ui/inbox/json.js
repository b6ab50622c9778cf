// JSON as it was sent and answered, set out to be read.

import { h } from "./dom.js";

const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
const MOST_COLOURED = 60_000; // characters; beyond them colours cost more than they tell

/** The value as indented JSON. */
export const pretty = (value) => JSON.stringify(value, null, 2);

/** A block of it, with a button that copies it. */
export function block(value, name) {
  const text = pretty(value ?? null);
  return h("div", { class: "json" },
    h("button", { type: "button", class: "quiet copy", "data-copy": text, title: `Copy ${name}` }, "Copy"),
    h("pre", { tabindex: 0, role: "region", "aria-label": name }, h("code", null, coloured(text))));
}

function coloured(text) {
  if (text.length > MOST_COLOURED) return text;
  const parts = [];
  let done = 0;
  for (const found of text.matchAll(TOKENS)) {
    const [whole, string, colon, word, number] = found;
    parts.push(text.slice(done, found.index));
    if (string) parts.push(h("span", { class: colon ? "key" : "string" }, string), colon ?? "");
    else parts.push(h("span", { class: word ? "word" : "number" }, word ?? number));
    done = found.index + whole.length;
  }
  return [...parts, text.slice(done)];
}
