// Formatted view of JSON, with syntax colours and a copy button.

import { element } from "./dom.js";

const TOKENS = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;
const MAX_COLOURED = 60_000; // characters; colouring more of them is slow and of no use

/** Returns the value as indented JSON. */
export const pretty = (value) => JSON.stringify(value, null, 2);

/** Creates a block of JSON with a button that copies it. */
export function jsonBlock(value, name) {
  const text = pretty(value ?? null);
  return element("div", { class: "json" },
    element("button", { type: "button", class: "quiet copy", "data-copy": text, title: `Copy ${name}` }, "Copy"),
    element("pre", { tabindex: 0, role: "region", "aria-label": name }, element("code", null, colour(text))));
}

function colour(text) {
  if (text.length > MAX_COLOURED) return text;
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    const [whole, string, colon, word, number] = match;
    parts.push(text.slice(end, match.index));
    if (string) parts.push(element("span", { class: colon ? "key" : "string" }, string), colon ?? "");
    else parts.push(element("span", { class: word ? "word" : "number" }, word ?? number));
    end = match.index + whole.length;
  }
  return [...parts, text.slice(end)];
}
