// The virtual clock: what time it is now, how fast it goes, and the buttons that turn it.

import { clock as read, setClock } from "./api.js";
import { h, show } from "./dom.js";
import { icon } from "./icons.js";
import { clockTime } from "./words.js";

const SPEEDS = [0, 1, 10, 60, 3600];
const LEAPS = [
  [1, "1 s", "1 second"],
  [60, "1 min", "1 minute"],
  [600, "10 min", "10 minutes"],
  [3600, "1 h", "1 hour"],
  [86400, "1 day", "1 day"],
];

export class Clock {
  #told = { now: 0, speed: 1 };
  #at = performance.now();
  #root;

  /** Draws into `root`; `refused(error)` hears of what the sandbox would not do. */
  constructor(root, refused) {
    this.#root = root;
    root.addEventListener("change", (event) => this.#turn({ speed: Number(event.target.value) }, refused));
    root.addEventListener("click", (event) => {
      const leap = event.target.closest("[data-leap]");
      if (leap) this.#turn({ advance: Number(leap.dataset.leap) }, refused);
    });
  }

  /** The virtual seconds since the sandbox started, by now. */
  now() {
    return this.#told.now + ((performance.now() - this.#at) / 1000) * this.#told.speed;
  }

  get runs() {
    return this.#told.speed > 0;
  }

  /** What the sandbox says of its clock, just now. */
  set(told) {
    this.#told = told;
    this.#at = performance.now();
    this.draw();
  }

  async load() {
    this.set(await read());
  }

  /** Only the time goes on by itself. */
  tick() {
    const shown = this.#root.querySelector("time");
    if (shown) shown.textContent = clockTime(this.now());
  }

  draw() {
    const speed = this.#told.speed;
    const speeds = SPEEDS.includes(speed) ? SPEEDS : [...SPEEDS, speed].sort((one, other) => one - other);
    show(
      this.#root,
      h("div", { class: "now", title: "Virtual time since the sandbox started" },
        icon("clock"), h("span", { class: "unseen" }, "Virtual time"), h("time", null, clockTime(this.now()))),
      h("fieldset", { class: "speeds" },
        h("legend", { class: "unseen" }, "Speed of the virtual clock"),
        speeds.map((one) => this.#speed(one, one === speed))),
      h("div", { class: "leaps", role: "group", "aria-label": "Put the clock forward" },
        LEAPS.map(([seconds, label, name]) =>
          h("button", { type: "button", "data-leap": seconds, "aria-label": `Put the clock forward by ${name}` },
            `+${label}`))),
    );
    for (const one of this.#root.querySelectorAll("input")) one.checked = Number(one.value) === speed;
  }

  #speed(one, current) {
    const label = one === 0 ? [icon("pause"), h("span", { class: "unseen" }, "Stand still")] : `${one}×`;
    const title = one === 0 ? "The clock stands still" : `${one} virtual seconds in a real one`;
    return h("label", { "data-key": one, title },
      h("input", { type: "radio", name: "speed", value: one, checked: current }), h("span", null, label));
  }

  async #turn(change, refused) {
    try {
      this.set(await setClock(change));
    } catch (error) {
      this.draw();
      refused(error);
    }
  }
}
