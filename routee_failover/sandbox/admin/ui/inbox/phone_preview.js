// Preview of a message as its channel shows it to the recipient. Remote content is named and never loaded.

import { element, link } from "./dom.js";
import { icon } from "./icons.js";

const CALLS = {
  Ringing: "Ringing …", InProgress: "Speaking", Completed: "Call ended", Busy: "Busy", NoAnswer: "Missed call",
};
const NAMES = { Viber: "Viber", Sms: "SMS", Voice: "Call" };

/** Creates the phone preview of one step with the replies to it. */
export function phonePreview(step, replies) {
  const channel = step.channel.toLowerCase();
  const state = deliveryState(step.message);
  const stateText = { yes: null, no: "Not delivered", open: "In flight", unsent: "Not sent" }[state];
  const label = `Preview: ${NAMES[step.channel]}`;
  return element("div", { class: `screen ${channel} arrived-${state}`, role: "group", "aria-label": label },
    element("div", { class: "sender" },
      element("span", { class: "avatar", "aria-hidden": "true" }, icon(channel)),
      element("b", { title: step.preview.from }, step.preview.from || NAMES[step.channel]),
      element("small", null, NAMES[step.channel]),
      stateText && element("span", { class: "arrival" }, stateText)),
    step.channel === "Voice" ? call(step) : bubble(step.preview),
    replies.map((reply) => element("p", { class: "reply" }, reply)));
}

function deliveryState(message) {
  if (!message) return "unsent";
  if (message.changes.some((change) => /^(delivered|seen|completed)$/i.test(change.status))) return "yes";
  return message.actions.includes("deliver") ? "open" : "no";
}

function bubble(preview) {
  return element("div", { class: "bubble" },
    preview.image && remoteCard("image", "Image", preview.image),
    preview.video && remoteCard("video", "Video", preview.video.url),
    preview.file
      && element("div", { class: "card" }, icon("file"), link(preview.file.url, preview.file.name || "File")),
    preview.text && element("p", { class: "message-text" }, linkify(preview.text)),
    preview.pin && pin(preview.pin),
    preview.button && element("div", { class: "message-button" }, link(preview.button.url, preview.button.caption)));
}

function call(step) {
  const { preview, message } = step;
  const last = message?.changes.at(-1)?.status;
  return element("div", { class: "bubble" },
    element("p", { class: "call" }, CALLS[last] ?? "Incoming call"),
    (preview.speech ?? []).map((text) => element("p", { class: "speech" }, icon("speech"), spoken(text))),
    preview.text && !preview.speech?.includes(preview.text)
      && element("p", { class: "message-text" }, linkify(preview.text)),
    preview.pin && pin(preview.pin));
}

/** Shows spoken text in quotation marks, and of a recording its URL. */
function spoken(text) {
  const played = /^\[plays (.*)\]$/s.exec(text);
  return played ? element("span", null, "plays ", link(played[1])) : element("q", null, text);
}

function pin(text) {
  return element("div", { class: "code" },
    element("output", { "aria-label": "PIN", "aria-live": "off" }, text),
    element("button", { type: "button", "data-copy": text, title: "Copy the PIN" },
      icon("copy"), element("span", null, "Copy")));
}

function remoteCard(kind, name, url) {
  return element("div", { class: `card ${kind}` }, icon(kind),
    element("span", null, element("b", null, name), " ",
      element("small", null, "not loaded: this page makes no external requests")),
    link(url));
}

/** Turns URLs in a text into links, as phones do. */
function linkify(text) {
  return text.split(/(https?:\/\/\S+)/i).map((part, index) => (index % 2 ? link(part) : part));
}
