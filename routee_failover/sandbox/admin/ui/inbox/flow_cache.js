// Cache of the flows on the page: the newest ones without a gap, and more of them as the user scrolls down.

import { flows as requestFlows } from "./api.js";

const PAGE = 200;
const RECOUNT_INTERVAL = 1500; // ms between two requests for the number of flows

export class FlowCache {
  /** Number of matching flows, loaded or not. */
  total = 0;
  /** Whether `total` has been loaded. */
  known = false;
  /** The filter: a part of the recipient's number, and a status. */
  filter = { to: "", status: "" };
  #loaded = []; // by number, oldest first: a new flow is appended cheaply
  #byId = new Map();
  #generation = 0;
  #loading = null;
  #changesDuringReload = null;
  #recounting = null;
  #onChange;
  #onError;

  /** Calls `onChange()` when there is something new to draw, `onError(error)` when a request fails. */
  constructor(onChange, onError) {
    this.#onChange = onChange;
    this.#onError = onError;
  }

  /** Number of loaded flows. */
  get loaded() {
    return this.#loaded.length;
  }

  /** Returns the flow in this row, the newest in row 0; undefined when it is not loaded. */
  at(row) {
    return this.#loaded[this.#loaded.length - 1 - row];
  }

  /** Returns the row of a flow, or -1. */
  rowOf(id) {
    const flow = this.#byId.get(id);
    if (!flow) return -1;
    const index = this.#index(flow.number);
    return this.#loaded[index]?.id === id ? this.#loaded.length - 1 - index : -1;
  }

  /** Loads the first page for this filter; until the response arrives, the old flows stay. */
  async reload(filter = this.filter) {
    this.filter = filter;
    const generation = ++this.#generation;
    this.#loading = null;
    this.#changesDuringReload = [];
    await this.#guarded(async () => {
      const page = await requestFlows({ ...filter, limit: PAGE });
      if (generation !== this.#generation) return;
      this.#loaded = page.flows.toReversed();
      this.#byId = new Map(this.#loaded.map((flow) => [flow.id, flow]));
      this.total = page.total;
      this.known = true;
    });
    if (generation !== this.#generation) return;
    const missed = this.#changesDuringReload;
    this.#changesDuringReload = null;
    for (const flow of missed) this.apply(flow);
    this.#onChange();
  }

  /** Loads the flows down to this row, page by page. */
  async loadTo(row) {
    if (this.#loading || this.#loaded.length === 0) return;
    const generation = this.#generation;
    this.#loading = this.#guarded(async () => {
      while (this.#loaded.length <= Math.min(row, this.total - 1)) {
        const page = await requestFlows({ ...this.filter, before: this.#loaded[0].number, limit: PAGE });
        if (generation !== this.#generation) return;
        this.total = page.flows.length ? page.total : this.#loaded.length;
        this.#loaded = [...page.flows.toReversed(), ...this.#loaded];
        for (const flow of page.flows) this.#byId.set(flow.id, flow);
        this.#onChange();
      }
    });
    await this.#loading;
    if (generation === this.#generation) this.#loading = null;
  }

  /** Applies an event: a flow was accepted or has changed. */
  apply(flow) {
    this.#changesDuringReload?.push(flow);
    const known = this.#byId.get(flow.id);
    if (known) {
      if (flow.elapsed < known.elapsed) return; // a response was faster than this event
      const index = this.#index(flow.number);
      if (this.#matches(flow)) {
        this.#byId.set(flow.id, flow);
        this.#loaded[index] = flow;
      } else {
        this.#byId.delete(flow.id);
        this.#loaded.splice(index, 1);
        this.total -= 1;
      }
    } else if (this.#matches(flow)) {
      const index = this.#index(flow.number);
      if (index > 0 || this.total === this.#loaded.length) {
        this.#byId.set(flow.id, flow);
        this.#loaded.splice(index, 0, flow);
        this.total += 1;
      }
      this.#recount();
    } else if (this.filter.status) {
      this.#recount(); // it may be one that is not loaded and no longer matches
    }
    this.#onChange();
  }

  /** Removes all flows. */
  clear() {
    this.#generation += 1;
    this.#loading = null;
    this.#changesDuringReload = null;
    this.#loaded = [];
    this.#byId.clear();
    this.total = 0;
    this.#onChange();
  }

  #matches(flow) {
    const { to, status } = this.filter;
    const part = to.replace(/^\+/, ""); // as the sandbox does: some numbers are written without a plus
    return (!status || flow.status === status) && (!part || flow.to.some((number) => number.includes(part)));
  }

  /** Returns the index of the flow with this number, or where it would be inserted. */
  #index(number) {
    let from = 0;
    let until = this.#loaded.length;
    if (until && this.#loaded[until - 1].number < number) return until;
    while (from < until) {
      const middle = (from + until) >> 1;
      if (this.#loaded[middle].number < number) from = middle + 1;
      else until = middle;
    }
    return from;
  }

  /** The sandbox evicts its oldest flows without an event, so the number of flows is requested after new ones. */
  #recount() {
    this.#recounting ??= setTimeout(() => {
      this.#recounting = null;
      this.#guarded(async () => {
        const generation = this.#generation;
        const { total } = await requestFlows({ ...this.filter, limit: 1 });
        if (generation !== this.#generation) return;
        for (const old of this.#loaded.splice(0, this.#loaded.length - total)) this.#byId.delete(old.id);
        this.total = total;
        this.#onChange();
      });
    }, RECOUNT_INTERVAL);
  }

  async #guarded(load) {
    try {
      await load();
    } catch (error) {
      this.#onError(error);
    }
  }
}
