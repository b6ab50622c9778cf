// What the person sees: a message as its channel shows it. What is remote is named and never fetched.

import { h, link } from "./dom.js";
import { icon } from "./icons.js";

const CALLS = {
  Ringing: "Ringing …", InProgress: "Speaking", Completed: "Call ended", Busy: "Busy", NoAnswer: "Missed call",
};
const NAMES = { Viber: "Viber", Sms: "SMS", Voice: "Call" };

/** The screen of a phone for one step; `replies` are what the person answered. */
export function screen(step, replies) {
  const channel = step.channel.toLowerCase();
  const arrived = reached(step.message);
  const words = { yes: null, no: "Did not arrive", open: "On its way", unsent: "Not sent" }[arrived];
  const label = `What the person sees: ${NAMES[step.channel]}`;
  return h("div", { class: `screen ${channel} arrived-${arrived}`, role: "group", "aria-label": label },
    h("div", { class: "sender" },
      h("span", { class: "face", "aria-hidden": "true" }, icon(channel)),
      h("b", { title: step.preview.from }, step.preview.from || NAMES[step.channel]),
      h("small", null, NAMES[step.channel]),
      words && h("span", { class: "arrival" }, words)),
    step.channel === "Voice" ? call(step) : bubble(step.preview),
    replies.map((reply) => h("p", { class: "reply" }, reply)));
}

function reached(message) {
  if (!message) return "unsent";
  if (message.changes.some((change) => /^(delivered|seen|completed)$/i.test(change.status))) return "yes";
  return message.actions.includes("deliver") ? "open" : "no";
}

function bubble(shows) {
  return h("div", { class: "bubble" },
    shows.image && remote("image", "Image", shows.image),
    shows.video && remote("video", "Video", shows.video.url),
    shows.file && h("div", { class: "card" }, icon("file"), link(shows.file.url, shows.file.name || "File")),
    shows.text && h("p", { class: "words" }, linked(shows.text)),
    shows.pin && pin(shows.pin),
    shows.button && h("div", { class: "knob" }, link(shows.button.url, shows.button.caption)));
}

function call(step) {
  const { preview:shows, message } = step;
  const last = message?.changes.at(-1)?.status;
  return h("div", { class: "bubble" },
    h("p", { class: "call" }, CALLS[last] ?? "Incoming call"),
    (shows.speech ?? []).map((text) => h("p", { class: "speech" }, icon("speech"), spoken(text))),
    shows.text && !shows.speech?.includes(shows.text) && h("p", { class: "words" }, linked(shows.text)),
    shows.pin && pin(shows.pin));
}

/** What is said stands in quotation marks; of what is played the sandbox gives the address. */
function spoken(text) {
  const played = /^\[plays (.*)\]$/s.exec(text);
  return played ? h("span", null, "plays ", link(played[1])) : h("q", null, text);
}

function pin(text) {
  return h("div", { class: "code" },
    h("output", { "aria-label": "PIN", "aria-live": "off" }, text),
    h("button", { type: "button", "data-copy": text, title: "Copy the PIN" }, icon("copy"), h("span", null, "Copy")));
}

function remote(kind, name, address) {
  return h("div", { class: `card ${kind}` }, icon(kind),
    h("span", null, h("b", null, name), " ", h("small", null, "not loaded: nothing here asks the network")),
    link(address));
}

/** Text whose addresses are links, as phones show them. */
function linked(text) {
  return text.split(/(https?:\/\/\S+)/i).map((part, place) => (place % 2 ? link(part) : part));
}
