// What the page says before the first flow: how to send one from the shell that is at hand.

import { h, show } from "./dom.js";

const STEPS = [
  { type: "ViberOtp", order: 1, to: "+306900000100", ttl: 60, senderInfoTrackingId: "my-sender",
    templateId: "0aac888f-2ee2-4112-9659-1755a951966a", pin: "847291" },
  { type: "Sms", order: 2, to: "+306900000100", ttl: 180, from: "Demo", message: { body: "Your code is 847291" } },
];

/** Commands that send a one-time password which Viber does not deliver, so that it goes on by SMS. */
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

export function welcome(box) {
  const text = commands(location.origin);
  show(box,
    h("h2", null, "No flow yet"),
    h("p", null, "Every flow that this sandbox takes appears here at once. Try one from a shell: "
      + "Viber will not deliver it, and it goes on by SMS."),
    h("div", { class: "json" },
      h("pre", { tabindex: 0, role: "region", "aria-label": "Commands" }, h("code", null, text)),
      h("button", { type: "button", class: "primary", "data-copy": text }, "Copy the commands")),
    h("p", null, h("kbd", null, "?"), " shows the keys, and the numbers that script what becomes of a message."));
}
