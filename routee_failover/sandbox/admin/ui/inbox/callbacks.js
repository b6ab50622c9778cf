// Callbacks of a flow, with every attempt.

import { element, link } from "./dom.js";
import { jsonBlock } from "./json_view.js";
import { timeOfDay } from "./format.js";

const KINDS = { flow: "Flow status", otp: "OTP status", inbound: "Inbound reply" };
const TONES = { delivered: "good", failed: "bad", pending: "open" };

/** Creates the list of callbacks, each with its attempts and a button that posts it again. */
export function callbacks(list, busy) {
  if (!list.length) {
    return element("p", { class: "hint" },
      "None. Callbacks of the flow, and replies to a Viber step with an inboundUrl, are shown here.");
  }
  return element("ol", { class: "callbacks" }, list.map((callback) => item(callback, busy)));
}

function item(callback, busy) {
  const status = callback.body?.status;
  return element("li", { "data-key": `callback-${callback.id}`, class: TONES[callback.state] ?? "open" },
    element("div", { class: "call-head" },
      element("b", null, KINDS[callback.kind] ?? callback.kind),
      typeof status === "string" && element("span", { class: "event-status" }, status),
      element("span", { class: `status ${TONES[callback.state] ?? "open"}` }, callback.state),
      element("button", {
        type: "button", "data-action": "callback", "data-callback": callback.id, "aria-disabled": busy ? "true" : null,
        title: "Post this callback again" }, "Redeliver")),
    element("p", { class: "facts" }, element("code", null, "POST"), " ", link(callback.url)),
    element("ol", { class: "attempts", "aria-label": "Attempts" },
      callback.attempts.map((attempt) => element("li", { class: attempt.status === 200 ? "good" : "bad" },
        element("time", { datetime: attempt.at }, timeOfDay(attempt.at)),
        element("b", null, attempt.status === null ? attempt.error ?? "no response" : `HTTP ${attempt.status}`),
        attempt.status !== null && attempt.error && element("span", null, attempt.error),
        attempt.durationMs !== null && element("span", null, `${Math.round(attempt.durationMs)} ms`))),
      callback.nextAt && element("li", { class: "open" },
        element("time", { datetime: callback.nextAt }, timeOfDay(callback.nextAt)),
        element("b", null, callback.attempts.length ? "next attempt" : "due"))),
    element("details", null, element("summary", null, "Payload"), jsonBlock(callback.body, "payload")));
}
