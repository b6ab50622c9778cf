// The steps of a flow on their time line: when each was sent, what became of it, and what can be made of it now.

import { dotted, h } from "./dom.js";
import { icon } from "./icons.js";
import { screen } from "./phone.js";
import { channelName, duration, sentence, tone } from "./words.js";

const ACTIONS = {
  deliver: ["Deliver", "The message arrives now"],
  seen: ["Seen", "The person opens it now"],
  fail: ["Fail", "The channel refuses it now"],
  expire: ["Expire", "Its time is over now"],
};
const ON_THE_PHONE = {
  ...ACTIONS,
  deliver: ["Pick up", "The person answers the call"],
  expire: ["No answer", "Nobody picks up"],
};

/** All steps; `elapsed` is the virtual time since the flow was accepted, `busy` while an answer is awaited. */
export function journey(flow, elapsed, busy) {
  return h("ol", { class: "journey", "aria-label": "Steps" },
    flow.steps.map((step, place) => stepItem(flow, step, place, elapsed, busy)));
}

function stepItem(flow, step, place, elapsed, busy) {
  const { message } = step;
  const last = message?.changes.at(-1);
  const state = message ? tone(message.status) : "none";
  const name = channelName(step.channel);
  return h("li", { class: `step ${state}`, "data-key": `step-${step.position}` },
    h("div", { class: "story" },
      h("h3", null,
        h("span", { class: `mark ${state}` }, message ? icon(state) : h("span", { "aria-hidden": "true" }, place + 1)),
        h("span", null, name),
        h("span", { class: `status ${state}` }, message ? sentence(message.status) : unsentBecause(flow))),
      h("p", { class: "facts" }, facts(flow, step)),
      message && h("ol", { class: "changes", "aria-label": `Statuses by ${name}` },
        message.changes.map((change) => h("li", { class: tone(change.status) },
          h("span", { class: "at" }, `+${duration(change.at)}`),
          h("b", null, sentence(change.status)),
          differs(change) && h("span", { class: "why" }, change.detail)))),
      message && step.ttl !== null && ttl(step, last, elapsed),
      message && buttons(step, busy)),
    h("div", { class: "phone" },
      screen(step, repliesTo(flow, message)),
      message?.actions.includes("reply") && reply(step, busy)));
}

function unsentBecause(flow) {
  if (flow.final) return "Not needed";
  return flow.status === "Queued" ? "Waiting" : "If the one before fails";
}

function facts(flow, step) {
  const said = flow.to.length === 1 && flow.to[0] === step.to ? [] : [step.to];
  if (step.ttl !== null) said.push(`ttl ${duration(step.ttl)}`);
  const triggers = step.triggers.map((word) => sentence(word).toLowerCase()).join(", ");
  if (triggers) said.push(`goes on when ${triggers}`);
  return dotted(said);
}

const differs = (change) => change.detail && change.detail.toLowerCase() !== sentence(change.status).toLowerCase();

/** How much of the ttl has passed; it stops where the message's own story ended. */
function ttl(step, last, elapsed) {
  const { message } = step;
  const ended = tone(message.status) !== "open" && !message.actions.includes("expire");
  const until = Math.min(ended ? last.at : elapsed, message.sentAt + step.ttl);
  const part = step.ttl > 0 ? Math.max(0, until - message.sentAt) / step.ttl : 1;
  const left = message.sentAt + step.ttl - until;
  const says = ended ? `ended after ${duration(until - message.sentAt)}` : `${duration(left)} left`;
  return h("div", { class: "ttl" },
    h("div", { class: "track", role: "progressbar", "aria-label": "ttl", "aria-valuemin": 0, "aria-valuemax": 100,
               "aria-valuenow": Math.round(part * 100), "aria-valuetext": says },
      h("div", { class: "passed", style: { "--part": part.toFixed(4) } })),
    h("small", null, says));
}

function buttons(step, busy) {
  const said = step.channel === "Voice" ? ON_THE_PHONE : ACTIONS;
  const can = Object.keys(said).filter((action) => step.message.actions.includes(action));
  if (!can.length) return null;
  return h("div", { class: "actions", role: "group", "aria-label": `Make the message by ${channelName(step.channel)}` },
    can.map((action) => h("button", {
      type: "button", "data-key": action, "data-action": action, "data-position": step.position,
      "aria-disabled": busy ? "true" : null, title: said[action][1] }, said[action][0])));
}

function reply(step, busy) {
  const label = "Reply as the person";
  return h("form", {
    class: "composer", "data-key": "composer", "data-action": "reply", "data-position": step.position,
    autocomplete: "off" },
    h("input", { name: "text", "aria-label": label, placeholder: label, maxlength: 1000, required: true }),
    h("button", { "aria-disabled": busy ? "true" : null }, "Reply"));
}

/** What the person answered to this message, as it was posted to the sender. */
function repliesTo(flow, message) {
  if (!message) return [];
  return flow.callbacks
    .filter((callback) => callback.kind === "inbound" && callback.body.referenceTrackingId === message.id)
    .map((callback) => String(callback.body.message ?? ""));
}
