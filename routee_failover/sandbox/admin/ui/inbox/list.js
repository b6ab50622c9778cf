// The list of flows. Only the rows that can be seen are there, so that ten thousand flows scroll as ten do.

import { h, show } from "./dom.js";
import { icon } from "./icons.js";
import { channelName, count, timeOfDay, tone, words } from "./words.js";

const ROW = 68; // px; inbox.css has the same
const SPARE = 8;

export class List {
  #flows;
  #box;
  #rows;
  #choose;
  #newest = null;
  chosen = null;

  /** `choose(id)` is called when somebody moves to another flow, `enter(how)` when they want to look into it. */
  constructor(flows, box, { choose, enter }) {
    this.#flows = flows;
    this.#box = box;
    this.#rows = box.firstElementChild;
    this.#choose = choose;
    box.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(box);
    box.addEventListener("click", (event) => {
      const row = event.target.closest("[data-key]");
      if (row) {
        choose(row.dataset.key);
        enter({ clicked: true });
      }
    });
    box.addEventListener("keydown", (event) => {
      const page = Math.max(1, Math.floor(box.clientHeight / ROW) - 1);
      const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
      if (event.key in moves && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        this.move(moves[event.key]);
      } else if (event.key === "Enter" && this.chosen) {
        event.preventDefault();
        enter();
      }
    });
  }

  /** Choose the flow so many rows further down; from nowhere, the newest. */
  move(by) {
    if (!this.#flows.loaded) return;
    const row = this.chosen === null ? -1 : this.#flows.rowOf(this.chosen);
    const wanted = row < 0 ? 0 : Math.min(Math.max(row + by, 0), this.#flows.loaded - 1);
    this.#choose(this.#flows.at(wanted).id);
    this.reveal();
    if (row + by >= this.#flows.loaded - SPARE) this.#flows.reach(Math.min(row + by + SPARE, this.#flows.total - 1));
  }

  /** Scroll so far that the chosen row can be seen. */
  reveal() {
    const row = this.#flows.rowOf(this.chosen);
    if (row < 0) return;
    const { scrollTop, clientHeight } = this.#box;
    if (row * ROW < scrollTop) this.#box.scrollTop = row * ROW;
    else if ((row + 1) * ROW > scrollTop + clientHeight) this.#box.scrollTop = (row + 1) * ROW - clientHeight;
    this.draw();
  }

  top() {
    this.#box.scrollTop = 0;
  }

  draw() {
    const flows = this.#flows;
    this.#rows.style.setProperty("--rows", flows.total);
    this.#hold();
    const first = Math.max(0, Math.floor(this.#box.scrollTop / ROW) - SPARE);
    const last = Math.min(flows.total, Math.ceil((this.#box.scrollTop + this.#box.clientHeight) / ROW) + SPARE);
    const rows = [];
    for (let row = first; row < last; row += 1) rows.push(this.#row(flows.at(row), row));
    show(this.#rows, rows);
    if (last > flows.loaded) flows.reach(last + SPARE);
    const active = this.chosen !== null && rows.some((row) => row.dataset.key === this.chosen);
    if (active) this.#box.setAttribute("aria-activedescendant", `row-${this.chosen}`);
    else this.#box.removeAttribute("aria-activedescendant");
  }

  /** Who has scrolled down goes on seeing the same rows while new ones come in above. */
  #hold() {
    const newest = this.#flows.at(0)?.id ?? null;
    if (newest !== this.#newest && this.#newest !== null && this.#box.scrollTop > 0) {
      const moved = this.#flows.rowOf(this.#newest);
      if (moved > 0) this.#box.scrollTop += moved * ROW;
    }
    this.#newest = newest;
  }

  #row(flow, row) {
    const place = { "aria-posinset": row + 1, "aria-setsize": this.#flows.total, style: { "--row": row } };
    if (!flow) return h("div", { class: "row waiting", role: "option", "aria-selected": "false", ...place }, "…");
    const chosen = flow.id === this.chosen;
    return h("div", { class: `row ${tone(flow.status)}`, role: "option", id: `row-${flow.id}`, "data-key": flow.id,
                      "aria-selected": String(chosen), ...place },
      h("span", { class: "mark", title: words(flow.status) }, icon(tone(flow.status)),
        h("span", { class: "unseen" }, `${words(flow.status)}, to`)),
      h("span", { class: "to" },
        flow.to[0] ?? "nobody", flow.to.length > 1 && h("small", null, ` +${flow.to.length - 1}`)),
      h("time", { datetime: flow.createdAt }, timeOfDay(flow.createdAt)),
      h("span", { class: "text" }, flow.text || h("i", null, "no text")),
      h("span", { class: "side" },
        flow.pin && h("span", { class: "pin" }, h("span", { class: "unseen" }, "PIN "), flow.pin),
        flow.channels.map((channel, step) => [
          step > 0 && h("span", { "aria-hidden": "true" }, "›"),
          h("span", { class: channel === flow.terminationChannel ? "last" : null }, channelName(channel)),
        ])));
  }
}

/** How many flows there are, in words. */
export function tally({ total, filter }) {
  const flows = `${count(total)} ${total === 1 ? "flow" : "flows"}`;
  return filter.to || filter.status ? `${flows} found` : flows;
}
