// Icons of the page; each has a text beside it or is hidden from screen readers.

import { svg } from "./dom.js";

const PATHS = {
  clock: ["M12 7v5l3 2"],
  pause: ["M9 6v12", "M15 6v12"],
  good: ["m7 12.5 3.5 3.5 7-8"],
  bad: ["m8 8 8 8", "m16 8-8 8"],
  open: ["M8 12h.01", "M12 12h.01", "M16 12h.01"],
  viber: ["M4 5h16v11H11l-4 3.5V16H4Z"],
  sms: ["M4 5h16v11H11l-4 3.5V16H4Z", "M8 9h8", "M8 12h5"],
  voice: ["M6.5 4h3l1.5 4-2 1.5a11 11 0 0 0 5.5 5.5l1.5-2 4 1.5v3a2 2 0 0 1-2 2A15.5 15.5 0 0 1 4.5 6a2 2 0 0 1 2-2Z"],
  image: ["M4 5h16v14H4Z", "m4 16 5-5 4 4 3-3 4 4", "M15.5 9h.01"],
  file: ["M7 3h7l4 4v14H7Z", "M14 3v4h4"],
  video: ["M4 5h16v14H4Z", "m10 9 5 3-5 3Z"],
  speech: ["M4 10v4h4l5 4V6L8 10Z", "M16 9a4 4 0 0 1 0 6"],
  copy: ["M9 9h11v11H9Z", "M5 15H4V4h11v1"],
  back: ["m14 6-6 6 6 6"],
  next: ["M12 5v14", "m7 14 5 5 5-5"],
};
const CIRCLED = new Set(["clock"]);

/** Creates an icon in the size of the text around it. */
export function icon(name) {
  return svg("svg", { class: `icon icon-${name}`, viewBox: "0 0 24 24", "aria-hidden": "true" },
    CIRCLED.has(name) && svg("circle", { cx: 12, cy: 12, r: 9 }),
    PATHS[name].map((d) => svg("path", { d })));
}
