// The selected flow: its state, steps and callbacks, and the JSON of request, response and tracking record.

import * as api from "./api.js";
import { callbacks } from "./callbacks.js";
import { dotSeparated, element, render } from "./dom.js";
import { icon } from "./icons.js";
import { timeline } from "./timeline.js";
import { jsonBlock } from "./json_view.js";
import { ENDPOINTS, FAILURES, channelName, splitCamelCase, timeOfDay, tone } from "./format.js";

const TABS = { request: "Request", response: "Response", record: "Tracking record" };
const ACTION_MESSAGES = { callback: "Callback posted again.", reply: "Reply posted." };
const STATUS_MESSAGES = { Succeeded: "The flow has succeeded.", Failed: "The flow has failed." };

export class FlowDetail {
  #root;
  #clock;
  #handlers;
  #id = null;
  #flow = null;
  #readAt = 0; // on the virtual clock
  #problem = null;
  #tab = "request";
  #busy = false;
  #loading = false;
  #stale = false;
  #focusWhenLoaded = false;

  /** Calls `onError(error)`, `onNotice(message)` and `onBack()` of `handlers`. */
  constructor(root, clock, handlers) {
    this.#root = root;
    this.#clock = clock;
    this.#handlers = handlers;
    root.addEventListener("click", (event) => this.#onClick(event));
    root.addEventListener("submit", (event) => this.#onSubmit(event));
    root.addEventListener("keydown", (event) => this.#onKeyDown(event));
    this.draw();
  }

  get id() {
    return this.#id;
  }

  /** Shows this flow; null shows none. */
  select(id) {
    if (id === this.#id) return;
    this.#id = id;
    this.#flow = this.#problem = null;
    this.#busy = this.#focusWhenLoaded = false;
    this.#root.scrollTop = 0;
    if (id === null) this.draw();
    else this.load();
  }

  /** Loads the flow again. There is only one request at a time: events may come by the thousand. */
  async load() {
    if (this.#id === null) return;
    this.#stale = true;
    if (this.#loading) return;
    this.#loading = true;
    while (this.#stale) {
      this.#stale = false;
      const id = this.#id;
      try {
        const flow = id === null ? null : await api.flow(id);
        if (id === this.#id) this.#setFlow(flow);
        else this.#stale = this.#id !== null;
      } catch (error) {
        if (id !== this.#id) this.#stale = this.#id !== null;
        else if (error.status === 404) this.#setProblem("The sandbox has no such flow.");
        else if (error.status !== 0) this.#setProblem(error.message);
      }
    }
    this.#loading = false;
  }

  #setFlow(flow) {
    this.#flow = flow;
    this.#problem = null;
    this.#readAt = this.#clock.now();
    this.draw();
    if (this.#focusWhenLoaded) this.focus();
  }

  #setProblem(problem) {
    this.#flow = null;
    this.#problem = problem;
    this.draw();
  }

  /** Redraws while a ttl is running. */
  tick() {
    const isRunning = (step) => step.message?.actions.includes("expire");
    if (this.#clock.runs && this.#flow?.steps.some(isRunning)) this.draw();
  }

  get #elapsed() {
    return this.#flow.elapsed + Math.max(0, this.#clock.now() - this.#readAt);
  }

  draw() {
    if (this.#flow) render(this.#root, this.#head(), this.#body());
    else if (this.#problem) render(this.#root, this.#backButton(), element("p", { class: "empty" }, this.#problem));
    else if (this.#id !== null) render(this.#root, this.#backButton(), element("p", { class: "empty" }, "…"));
    else render(this.#root, element("p", { class: "empty" }, "Select a flow to see its steps and message previews."));
  }

  #backButton() {
    return element("button", { type: "button", class: "quiet back", "data-key": "back", "data-back": true },
      icon("back"), "All flows");
  }

  #head() {
    const flow = this.#flow;
    const reason = flow.status === "Failed" && flow.statusCode !== null ? FAILURES[flow.statusCode] : null;
    const facts = [
      ENDPOINTS[flow.endpoint] ?? flow.endpoint,
      `No. ${flow.number}`,
      element("time", { datetime: flow.createdAt, title: flow.createdAt }, timeOfDay(flow.createdAt)),
      flow.price > 0 && `price ${flow.price}`,
      reason && element("b", { class: "bad" }, reason),
    ];
    return element("header", { class: "head", "data-key": `head-${flow.id}` },
      this.#backButton(),
      element("h2", { tabindex: -1 }, flow.to.join(", ") || "no recipient"),
      element("span", { class: `status large ${tone(flow.status)}` },
        icon(tone(flow.status)), splitCamelCase(flow.status),
        flow.terminationChannel && element("span", null, ` by ${channelName(flow.terminationChannel)}`)),
      element("p", { class: "facts" }, dotSeparated(facts.filter(Boolean))),
      element("p", { class: "id" }, element("code", null, flow.id),
        element("button", { type: "button", class: "quiet", "data-copy": flow.id, title: "Copy the id" },
          icon("copy"), element("span", { class: "visually-hidden" }, "Copy the id"))));
  }

  #body() {
    const flow = this.#flow;
    return element("div", { class: "sections", "data-key": `body-${flow.id}` },
      timeline(flow, this.#elapsed, this.#busy),
      element("section", { class: "section", "data-key": "callbacks", "aria-label": "Callbacks" },
        element("h3", null, "Callbacks ", element("small", null, flow.callbacks.length || "")),
        callbacks(flow.callbacks, this.#busy)),
      element("section", { class: "section", "data-key": "json", "aria-label": "As JSON" },
        element("div", { class: "tabs", role: "tablist", "aria-label": "As JSON" },
          Object.entries(TABS).map(([name, label]) => element("button", {
            type: "button", role: "tab", id: `tab-${name}`, "data-tab": name, "aria-controls": "json",
            "aria-selected": String(name === this.#tab), tabindex: name === this.#tab ? 0 : -1 }, label))),
        element("div", { id: "json", role: "tabpanel", "data-key": this.#tab, "aria-labelledby": `tab-${this.#tab}` },
          jsonBlock(flow[this.#tab], TABS[this.#tab].toLowerCase()))));
  }

  /** Moves the keyboard focus into the flow. */
  focus() {
    this.#focusWhenLoaded = this.#flow === null;
    if (this.#flow) this.#root.querySelector("h2").focus();
    else this.#root.focus();
  }

  #onClick(event) {
    const target = event.target.closest("[data-action], [data-tab], [data-back]");
    if (!target || target.tagName === "FORM") return;
    if ("back" in target.dataset) this.#handlers.onBack();
    else if (target.dataset.tab) this.#openTab(target.dataset.tab);
    else this.#act(target.dataset.action, target.dataset);
  }

  async #onSubmit(event) {
    event.preventDefault();
    const form = event.target;
    const text = form.elements.text.value;
    if (await this.#act("reply", form.dataset, text)) form.elements.text.value = "";
  }

  #onKeyDown(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.target.getAttribute("role") !== "tab") return;
    const names = Object.keys(TABS);
    const name = names.at((names.indexOf(this.#tab) + step) % names.length);
    this.#openTab(name);
    this.#root.querySelector(`#tab-${name}`).focus();
  }

  #openTab(tab) {
    this.#tab = tab;
    this.draw();
  }

  /** Performs an action; returns whether the sandbox accepted it. */
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
      if (id === this.#id) this.#setFlow(flow);
      this.#handlers.onNotice(ACTION_MESSAGES[action] ?? STATUS_MESSAGES[flow.status] ?? "The flow is in progress.");
      return true;
    } catch (error) {
      this.#busy = false;
      this.#handlers.onError(error);
      if (id === this.#id) {
        this.draw();
        this.load();
      }
      return false;
    }
  }
}
