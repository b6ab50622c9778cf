// Virtual list of flows: only the visible rows exist, so that ten thousand flows scroll as fast as ten.

import { element, render } from "./dom.js";
import { icon } from "./icons.js";
import { channelName, count, splitCamelCase, timeOfDay, tone } from "./format.js";

const ROW_HEIGHT = 68; // px; inbox.css has the same
const OVERSCAN = 8; // rows

export class FlowList {
  #flows;
  #viewport;
  #rows;
  #select;
  #newest = null;
  selected = null;

  /** Calls `select(id)` when the user moves to another flow, `enter(how)` when they open it. */
  constructor(flows, viewport, { select, enter }) {
    this.#flows = flows;
    this.#viewport = viewport;
    this.#rows = viewport.firstElementChild;
    this.#select = select;
    viewport.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(viewport);
    viewport.addEventListener("click", (event) => {
      const row = event.target.closest("[data-key]");
      if (row) {
        select(row.dataset.key);
        enter({ clicked: true });
      }
    });
    viewport.addEventListener("keydown", (event) => {
      const page = Math.max(1, Math.floor(viewport.clientHeight / ROW_HEIGHT) - 1);
      const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
      if (event.key in moves && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        this.move(moves[event.key]);
      } else if (event.key === "Enter" && this.selected) {
        event.preventDefault();
        enter();
      }
    });
  }

  /** Selects the flow this many rows further down; the newest if none is selected. */
  move(by) {
    if (!this.#flows.loaded) return;
    const row = this.selected === null ? -1 : this.#flows.rowOf(this.selected);
    const target = row < 0 ? 0 : Math.min(Math.max(row + by, 0), this.#flows.loaded - 1);
    this.#select(this.#flows.at(target).id);
    this.reveal();
    if (row + by >= this.#flows.loaded - OVERSCAN) {
      this.#flows.loadTo(Math.min(row + by + OVERSCAN, this.#flows.total - 1));
    }
  }

  /** Scrolls the selected row into view. */
  reveal() {
    const row = this.#flows.rowOf(this.selected);
    if (row < 0) return;
    const { scrollTop, clientHeight } = this.#viewport;
    if (row * ROW_HEIGHT < scrollTop) this.#viewport.scrollTop = row * ROW_HEIGHT;
    else if ((row + 1) * ROW_HEIGHT > scrollTop + clientHeight) {
      this.#viewport.scrollTop = (row + 1) * ROW_HEIGHT - clientHeight;
    }
    this.draw();
  }

  scrollToTop() {
    this.#viewport.scrollTop = 0;
  }

  draw() {
    const flows = this.#flows;
    this.#rows.style.setProperty("--rows", flows.total);
    this.#keepPosition();
    const { scrollTop, clientHeight } = this.#viewport;
    const first = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - OVERSCAN);
    const last = Math.min(flows.total, Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + OVERSCAN);
    const rows = [];
    for (let row = first; row < last; row += 1) rows.push(this.#row(flows.at(row), row));
    render(this.#rows, rows);
    if (last > flows.loaded) flows.loadTo(last + OVERSCAN);
    const active = this.selected !== null && rows.some((row) => row.dataset.key === this.selected);
    if (active) this.#viewport.setAttribute("aria-activedescendant", `row-${this.selected}`);
    else this.#viewport.removeAttribute("aria-activedescendant");
  }

  /** After scrolling down, keeps the same rows in view while new ones are added above. */
  #keepPosition() {
    const newest = this.#flows.at(0)?.id ?? null;
    if (newest !== this.#newest && this.#newest !== null && this.#viewport.scrollTop > 0) {
      const added = this.#flows.rowOf(this.#newest);
      if (added > 0) this.#viewport.scrollTop += added * ROW_HEIGHT;
    }
    this.#newest = newest;
  }

  #row(flow, row) {
    const position = { "aria-posinset": row + 1, "aria-setsize": this.#flows.total, style: { "--row": row } };
    if (!flow) {
      return element("div", { class: "row waiting", role: "option", "aria-selected": "false", ...position }, "…");
    }
    const selected = flow.id === this.selected;
    return element("div", {
      class: `row ${tone(flow.status)}`, role: "option", id: `row-${flow.id}`, "data-key": flow.id,
      "aria-selected": String(selected), ...position },
      element("span", { class: "mark", title: splitCamelCase(flow.status) }, icon(tone(flow.status)),
        element("span", { class: "visually-hidden" }, `${splitCamelCase(flow.status)}, to`)),
      element("span", { class: "to" },
        flow.to[0] ?? "no recipient", flow.to.length > 1 && element("small", null, ` +${flow.to.length - 1}`)),
      element("time", { datetime: flow.createdAt }, timeOfDay(flow.createdAt)),
      element("span", { class: "text" }, flow.text || element("i", null, "no text")),
      element("span", { class: "side" },
        flow.pin && element("span", { class: "pin" }, element("span", { class: "visually-hidden" }, "PIN "), flow.pin),
        flow.channels.map((channel, step) => [
          step > 0 && element("span", { "aria-hidden": "true" }, "›"),
          element("span", { class: channel === flow.terminationChannel ? "last" : null }, channelName(channel)),
        ])));
  }
}

/** Returns the number of flows as a label. */
export function countLabel({ total, filter }) {
  const flows = `${count(total)} ${total === 1 ? "flow" : "flows"}`;
  return filter.to || filter.status ? `${flows} found` : flows;
}
