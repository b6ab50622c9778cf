// The chosen flow: how it stands, its steps, its callbacks, and the JSON of request, answer and record.

import * as api from "./api.js";
import { callbacks } from "./callbacks.js";
import { dotted, h, show } from "./dom.js";
import { icon } from "./icons.js";
import { journey } from "./journey.js";
import { block } from "./json.js";
import { ENDPOINTS, FAILURES, channelName, timeOfDay, tone, words } from "./words.js";

const TABS = { request: "Request", response: "Response", record: "Record now" };
const DONE = { callback: "The callback is posted again.", reply: "The reply is posted." };
const STANDS = { Succeeded: "The flow has succeeded.", Failed: "The flow has failed." };

export class Detail {
  #root;
  #clock;
  #on;
  #id = null;
  #flow = null;
  #readAt = 0; // of the virtual clock
  #problem = null;
  #tab = "request";
  #busy = false;
  #asking = false;
  #stale = false;
  #awaited = false; // whether the focus goes to the flow once it is here

  /** `on.refused(error)`, `on.said(words)` and `on.back()` tell the page what happens here. */
  constructor(root, clock, on) {
    this.#root = root;
    this.#clock = clock;
    this.#on = on;
    root.addEventListener("click", (event) => this.#clicked(event));
    root.addEventListener("submit", (event) => this.#submitted(event));
    root.addEventListener("keydown", (event) => this.#moved(event));
    this.draw();
  }

  get id() {
    return this.#id;
  }

  /** Show this flow; null shows none. */
  choose(id) {
    if (id === this.#id) return;
    this.#id = id;
    this.#flow = this.#problem = null;
    this.#busy = this.#awaited = false;
    this.#root.scrollTop = 0;
    if (id === null) this.draw();
    else this.load();
  }

  /** Read the flow anew. While one answer is awaited no second is asked for: events may come by the thousand. */
  async load() {
    if (this.#id === null) return;
    this.#stale = true;
    if (this.#asking) return;
    this.#asking = true;
    while (this.#stale) {
      this.#stale = false;
      const id = this.#id;
      try {
        const flow = id === null ? null : await api.flow(id);
        if (id === this.#id) this.#take(flow);
        else this.#stale = this.#id !== null;
      } catch (error) {
        if (id !== this.#id) this.#stale = this.#id !== null;
        else if (error.status === 404) this.#lose("The sandbox does not know this flow any more.");
        else if (error.status !== 0) this.#lose(error.message);
      }
    }
    this.#asking = false;
  }

  #take(flow) {
    this.#flow = flow;
    this.#problem = null;
    this.#readAt = this.#clock.now();
    this.draw();
    if (this.#awaited) this.focus();
  }

  #lose(problem) {
    this.#flow = null;
    this.#problem = problem;
    this.draw();
  }

  /** Time goes on; only what runs against a ttl shows it. */
  tick() {
    const waits = (step) => step.message?.actions.includes("expire");
    if (this.#clock.runs && this.#flow?.steps.some(waits)) this.draw();
  }

  get #elapsed() {
    return this.#flow.elapsed + Math.max(0, this.#clock.now() - this.#readAt);
  }

  draw() {
    if (this.#flow) show(this.#root, this.#head(), this.#body());
    else if (this.#problem) show(this.#root, this.#back(), h("p", { class: "nothing" }, this.#problem));
    else if (this.#id !== null) show(this.#root, this.#back(), h("p", { class: "nothing" }, "…"));
    else show(this.#root, h("p", { class: "nothing" }, "Choose a flow to see its steps, and what the person sees."));
  }

  #back() {
    return h("button", { type: "button", class: "quiet back", "data-key": "back", "data-back": true },
      icon("back"), "All flows");
  }

  #head() {
    const flow = this.#flow;
    const why = flow.status === "Failed" && flow.statusCode !== null ? FAILURES[flow.statusCode] : null;
    const facts = [
      ENDPOINTS[flow.endpoint] ?? flow.endpoint,
      `No. ${flow.number}`,
      h("time", { datetime: flow.createdAt, title: flow.createdAt }, timeOfDay(flow.createdAt)),
      flow.price > 0 && `price ${flow.price}`,
      why && h("b", { class: "bad" }, why),
    ];
    return h("header", { class: "head", "data-key": `head-${flow.id}` },
      this.#back(),
      h("h2", { tabindex: -1 }, flow.to.join(", ") || "nobody"),
      h("span", { class: `status large ${tone(flow.status)}` }, icon(tone(flow.status)), words(flow.status),
        flow.terminationChannel && h("span", null, ` by ${channelName(flow.terminationChannel)}`)),
      h("p", { class: "facts" }, dotted(facts.filter(Boolean))),
      h("p", { class: "id" }, h("code", null, flow.id),
        h("button", { type: "button", class: "quiet", "data-copy": flow.id, title: "Copy the id" },
          icon("copy"), h("span", { class: "unseen" }, "Copy the id"))));
  }

  #body() {
    const flow = this.#flow;
    return h("div", { class: "sheets", "data-key": `body-${flow.id}` },
      journey(flow, this.#elapsed, this.#busy),
      h("section", { class: "sheet", "data-key": "callbacks", "aria-label": "Callbacks" },
        h("h3", null, "Callbacks ", h("small", null, flow.callbacks.length || "")),
        callbacks(flow.callbacks, this.#busy)),
      h("section", { class: "sheet", "data-key": "json", "aria-label": "As JSON" },
        h("div", { class: "tabs", role: "tablist", "aria-label": "As JSON" },
          Object.entries(TABS).map(([name, label]) => h("button", {
            type: "button", role: "tab", id: `tab-${name}`, "data-tab": name, "aria-controls": "json",
            "aria-selected": String(name === this.#tab), tabindex: name === this.#tab ? 0 : -1 }, label))),
        h("div", { id: "json", role: "tabpanel", "data-key": this.#tab, "aria-labelledby": `tab-${this.#tab}` },
          block(flow[this.#tab], TABS[this.#tab].toLowerCase()))));
  }

  /** Into the flow, for whoever walks by keyboard. */
  focus() {
    this.#awaited = this.#flow === null;
    if (this.#flow) this.#root.querySelector("h2").focus();
    else this.#root.focus();
  }

  #clicked(event) {
    const target = event.target.closest("[data-action], [data-tab], [data-back]");
    if (!target || target.tagName === "FORM") return;
    if ("back" in target.dataset) this.#on.back();
    else if (target.dataset.tab) this.#open(target.dataset.tab);
    else this.#act(target.dataset.action, target.dataset);
  }

  async #submitted(event) {
    event.preventDefault();
    const form = event.target;
    const text = form.elements.text.value;
    if (await this.#act("reply", form.dataset, text)) form.elements.text.value = "";
  }

  #moved(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.target.getAttribute("role") !== "tab") return;
    const names = Object.keys(TABS);
    const name = names.at((names.indexOf(this.#tab) + step) % names.length);
    this.#open(name);
    this.#root.querySelector(`#tab-${name}`).focus();
  }

  #open(tab) {
    this.#tab = tab;
    this.draw();
  }

  /** Whether the sandbox did it. */
  async #act(action, { position, callback }, text) {
    if (this.#busy) return false;
    const id = this.#id;
    const body = { action };
    if (position !== undefined) body.position = Number(position);
    if (callback !== undefined) body.callback = callback;
    if (text !== undefined) body.text = text;
    this.#busy = true;
    this.draw();
    try {
      const flow = await api.act(id, body);
      this.#busy = false;
      if (id === this.#id) this.#take(flow);
      this.#on.said(DONE[action] ?? STANDS[flow.status] ?? "The flow goes on.");
      return true;
    } catch (error) {
      this.#busy = false;
      this.#on.refused(error);
      if (id === this.#id) {
        this.draw();
        this.load();
      }
      return false;
    }
  }
}
