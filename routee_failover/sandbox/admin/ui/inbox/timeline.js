// Timeline of a flow: when each step was sent, its statuses, and the actions that are possible now.

import { dotSeparated, element } from "./dom.js";
import { icon } from "./icons.js";
import { phonePreview } from "./phone_preview.js";
import { channelName, duration, sentence, tone } from "./format.js";

const ACTIONS = {
  deliver: ["Deliver", "Deliver the message now"],
  seen: ["Seen", "Mark the message as seen now"],
  fail: ["Fail", "Let the channel reject the message now"],
  expire: ["Expire", "Let the message expire now"],
};
const CALL_ACTIONS = {
  ...ACTIONS,
  deliver: ["Pick up", "Answer the call now"],
  expire: ["No answer", "Leave the call unanswered"],
};

/** Creates the list of steps; `elapsed` is virtual seconds since the flow was accepted; `busy` disables the buttons. */
export function timeline(flow, elapsed, busy) {
  return element("ol", { class: "timeline", "aria-label": "Steps" },
    flow.steps.map((step, index) => stepItem(flow, step, index, elapsed, busy)));
}

function stepItem(flow, step, index, elapsed, busy) {
  const { message } = step;
  const lastChange = message?.changes.at(-1);
  const state = message ? tone(message.status) : "none";
  const name = channelName(step.channel);
  return element("li", { class: `step ${state}`, "data-key": `step-${step.position}` },
    element("div", { class: "step-body" },
      element("h3", null,
        element("span", { class: `mark ${state}` },
          message ? icon(state) : element("span", { "aria-hidden": "true" }, index + 1)),
        element("span", null, name),
        element("span", { class: `status ${state}` }, message ? sentence(message.status) : unsentReason(flow))),
      element("p", { class: "facts" }, facts(flow, step)),
      message && element("ol", { class: "changes", "aria-label": `Statuses by ${name}` },
        message.changes.map((change) => element("li", { class: tone(change.status) },
          element("span", { class: "at" }, `+${duration(change.at)}`),
          element("b", null, sentence(change.status)),
          hasDetail(change) && element("span", { class: "detail" }, change.detail)))),
      message && step.ttl !== null && ttlBar(step, lastChange, elapsed),
      message && actionButtons(step, busy)),
    element("div", { class: "phone" },
      phonePreview(step, repliesTo(flow, message)),
      message?.actions.includes("reply") && replyForm(step, busy)));
}

function unsentReason(flow) {
  if (flow.final) return "Not sent";
  return flow.status === "Queued" ? "Waiting" : "If the previous step fails";
}

function facts(flow, step) {
  const items = flow.to.length === 1 && flow.to[0] === step.to ? [] : [step.to];
  if (step.ttl !== null) items.push(`ttl ${duration(step.ttl)}`);
  const triggers = step.triggers.map((status) => sentence(status).toLowerCase()).join(", ");
  if (triggers) items.push(`fails over on ${triggers}`);
  return dotSeparated(items);
}

const hasDetail = (change) => change.detail && change.detail.toLowerCase() !== sentence(change.status).toLowerCase();

/** Creates the progress bar of the ttl; it stops where the message ended. */
function ttlBar(step, lastChange, elapsed) {
  const { message } = step;
  const ended = tone(message.status) !== "open" && !message.actions.includes("expire");
  const until = Math.min(ended ? lastChange.at : elapsed, message.sentAt + step.ttl);
  const share = step.ttl > 0 ? Math.max(0, until - message.sentAt) / step.ttl : 1;
  const left = message.sentAt + step.ttl - until;
  const label = ended ? `ended after ${duration(until - message.sentAt)}` : `${duration(left)} left`;
  return element("div", { class: "ttl" },
    element("div", {
      class: "track", role: "progressbar", "aria-label": "ttl", "aria-valuemin": 0, "aria-valuemax": 100,
      "aria-valuenow": Math.round(share * 100), "aria-valuetext": label },
      element("div", { class: "elapsed", style: { "--share": share.toFixed(4) } })),
    element("small", null, label));
}

function actionButtons(step, busy) {
  const texts = step.channel === "Voice" ? CALL_ACTIONS : ACTIONS;
  const possible = Object.keys(texts).filter((action) => step.message.actions.includes(action));
  if (!possible.length) return null;
  const label = `Actions on the ${channelName(step.channel)} message`;
  return element("div", { class: "actions", role: "group", "aria-label": label },
    possible.map((action) => element("button", {
      type: "button", "data-key": action, "data-action": action, "data-position": step.position,
      "aria-disabled": busy ? "true" : null, title: texts[action][1] }, texts[action][0])));
}

function replyForm(step, busy) {
  const label = "Reply as the recipient";
  return element("form", {
    class: "composer", "data-key": "composer", "data-action": "reply", "data-position": step.position,
    autocomplete: "off" },
    element("input", { name: "text", "aria-label": label, placeholder: label, maxlength: 1000, required: true }),
    element("button", { "aria-disabled": busy ? "true" : null }, "Reply"));
}

/** Returns the replies to this message, as they were posted to the sender. */
function repliesTo(flow, message) {
  if (!message) return [];
  return flow.callbacks
    .filter((callback) => callback.kind === "inbound" && callback.body.referenceTrackingId === message.id)
    .map((callback) => String(callback.body.message ?? ""));
}
