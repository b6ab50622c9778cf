// The virtual clock: its time and speed, and the buttons that advance it.

import { clock as read, setClock } from "./api.js";
import { element, render } from "./dom.js";
import { icon } from "./icons.js";
import { clockTime } from "./format.js";

const SPEEDS = [0, 1, 10, 60, 3600];
const ADVANCES = [
  [1, "1 s", "1 second"],
  [60, "1 min", "1 minute"],
  [600, "10 min", "10 minutes"],
  [3600, "1 h", "1 hour"],
  [86400, "1 day", "1 day"],
];

export class Clock {
  #reading = { now: 0, speed: 1 };
  #readAt = performance.now();
  #root;

  /** Draws into `root`; calls `onError(error)` when the sandbox rejects a change. */
  constructor(root, onError) {
    this.#root = root;
    root.addEventListener("change", (event) => this.#change({ speed: Number(event.target.value) }, onError));
    root.addEventListener("click", (event) => {
      const button = event.target.closest("[data-advance]");
      if (button) this.#change({ advance: Number(button.dataset.advance) }, onError);
    });
  }

  /** Returns the current virtual seconds since the sandbox started. */
  now() {
    return this.#reading.now + ((performance.now() - this.#readAt) / 1000) * this.#reading.speed;
  }

  get runs() {
    return this.#reading.speed > 0;
  }

  /** Sets the clock to a reading that the sandbox has just given. */
  set(reading) {
    this.#reading = reading;
    this.#readAt = performance.now();
    this.draw();
  }

  async load() {
    this.set(await read());
  }

  /** Updates the time only. */
  tick() {
    const time = this.#root.querySelector("time");
    if (time) time.textContent = clockTime(this.now());
  }

  draw() {
    const speed = this.#reading.speed;
    const speeds = SPEEDS.includes(speed) ? SPEEDS : [...SPEEDS, speed].sort((a, b) => a - b);
    render(
      this.#root,
      element("div", { class: "now", title: "Virtual time since the sandbox started" },
        icon("clock"), element("span", { class: "visually-hidden" }, "Virtual time"),
        element("time", null, clockTime(this.now()))),
      element("fieldset", { class: "speeds" },
        element("legend", { class: "visually-hidden" }, "Speed of the virtual clock"),
        speeds.map((option) => this.#speed(option, option === speed))),
      element("div", { class: "advance", role: "group", "aria-label": "Advance the clock" },
        ADVANCES.map(([seconds, label, name]) =>
          element("button", { type: "button", "data-advance": seconds, "aria-label": `Advance the clock by ${name}` },
            `+${label}`))),
    );
    for (const input of this.#root.querySelectorAll("input")) input.checked = Number(input.value) === speed;
  }

  #speed(speed, current) {
    const label = speed === 0
      ? [icon("pause"), element("span", { class: "visually-hidden" }, "Stopped")]
      : `${speed}×`;
    const title = speed === 0 ? "The clock is stopped" : `${speed} virtual seconds per real second`;
    return element("label", { "data-key": speed, title },
      element("input", { type: "radio", name: "speed", value: speed, checked: current }),
      element("span", null, label));
  }

  async #change(change, onError) {
    try {
      this.set(await setClock(change));
    } catch (error) {
      this.draw();
      onError(error);
    }
  }
}
