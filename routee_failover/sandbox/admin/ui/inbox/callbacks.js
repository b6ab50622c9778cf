// What the sandbox posted to the sender's addresses, and how each attempt went.

import { h, link } from "./dom.js";
import { block } from "./json.js";
import { timeOfDay } from "./words.js";

const KINDS = { flow: "Status of the flow", otp: "Status of the OTP", inbound: "Reply of the person" };
const TONES = { delivered: "good", "given up": "bad", pending: "open" };

/** The callbacks of a flow, each with its attempts and a button that posts it once more. */
export function callbacks(list, busy) {
  if (!list.length) {
    return h("p", { class: "hint" },
      "None. A flow with a callback, or a Viber step with an inboundUrl, has its calls shown here.");
  }
  return h("ol", { class: "callbacks" }, list.map((one) => item(one, busy)));
}

function item(one, busy) {
  const status = one.body?.status;
  return h("li", { "data-key": `callback-${one.id}`, class: TONES[one.state] ?? "open" },
    h("div", { class: "call-head" },
      h("b", null, KINDS[one.kind] ?? one.kind),
      typeof status === "string" && h("span", { class: "told" }, status),
      h("span", { class: `status ${TONES[one.state] ?? "open"}` }, one.state),
      h("button", {
        type: "button", "data-action": "callback", "data-callback": one.id, "aria-disabled": busy ? "true" : null,
        title: "Post this callback once more" }, "Call again")),
    h("p", { class: "facts" }, h("code", null, "POST"), " ", link(one.url)),
    h("ol", { class: "attempts", "aria-label": "Attempts" },
      one.attempts.map((attempt) => h("li", { class: attempt.status === 200 ? "good" : "bad" },
        h("time", { datetime: attempt.at }, timeOfDay(attempt.at)),
        h("b", null, attempt.status === null ? attempt.error ?? "no answer" : `answered ${attempt.status}`),
        attempt.status !== null && attempt.error && h("span", null, attempt.error),
        attempt.durationMs !== null && h("span", null, `${Math.round(attempt.durationMs)} ms`))),
      one.nextAt && h("li", { class: "open" },
        h("time", { datetime: one.nextAt }, timeOfDay(one.nextAt)),
        h("b", null, one.attempts.length ? "next attempt" : "due"))),
    h("details", null, h("summary", null, "What was posted"), block(one.body, "what was posted")));
}
