// The page before the first flow: how to send one from a shell.

import { element, render } from "./dom.js";

const STEPS = [
  { type: "ViberOtp", order: 1, to: "+306900000100", ttl: 60, senderInfoTrackingId: "my-sender",
    templateId: "0aac888f-2ee2-4112-9659-1755a951966a", pin: "847291" },
  { type: "Sms", order: 2, to: "+306900000100", ttl: 180, from: "Demo", message: { body: "Your code is 847291" } },
];

/** Shell commands that send a one-time password which Viber does not deliver, so that it fails over to SMS. */
function commands(origin) {
  const steps = STEPS.map((step) => JSON.stringify(step).replaceAll(/,"(?=templateId|message)/g, ',\n   "'));
  return [
    "token=$(curl -s -u sandbox:sandbox-secret -d grant_type=client_credentials \\",
    `  ${origin}/oauth/token | cut -d '"' -f 4)`,
    "",
    `curl ${origin}/failover-otp/otp/send-failover \\`,
    '  -H "Authorization: Bearer $token" -H "Content-Type: application/json" -d \'',
    `{"flow": [\n  ${steps.join(",\n  ")}]}'`,
  ].join("\n");
}

export function showEmptyState(container) {
  const text = commands(location.origin);
  render(container,
    element("h2", null, "No flow yet"),
    element("p", null, "Accepted flows appear here immediately. Send one from a shell: "
      + "Viber does not deliver it, and it fails over to SMS."),
    element("div", { class: "json" },
      element("pre", { tabindex: 0, role: "region", "aria-label": "Commands" }, element("code", null, text)),
      element("button", { type: "button", class: "primary", "data-copy": text }, "Copy the commands")),
    element("p", null, element("kbd", null, "?"), " shows keyboard shortcuts and the numbers with scripted outcomes."));
}
