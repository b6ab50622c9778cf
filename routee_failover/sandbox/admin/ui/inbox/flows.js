// The flows that the page knows: the newest ones without a gap, more of them as somebody scrolls down.

import { flows as ask } from "./api.js";

const PAGE = 200;
const RECOUNT = 1500; // at most so often (ms) is the sandbox asked how many there are

export class Flows {
  /** How many flows match, loaded or not. */
  total = 0;
  /** Whether the sandbox has told it. */
  known = false;
  /** What is asked for: a part of the recipient's number, and a status. */
  filter = { to: "", status: "" };
  #loaded = []; // by number, oldest first: a new flow is put at the end at no cost
  #byId = new Map();
  #generation = 0;
  #loading = null;
  #meanwhile = null; // what happened while everything was loaded anew
  #recounting = null;
  #changed;
  #failed;

  /** `changed()` is called when there is something else to show, `failed(error)` when the sandbox would not tell. */
  constructor(changed, failed) {
    this.#changed = changed;
    this.#failed = failed;
  }

  /** How many of them are here. */
  get loaded() {
    return this.#loaded.length;
  }

  /** The flow in this row, the newest in row 0; nothing when it has not been loaded. */
  at(row) {
    return this.#loaded[this.#loaded.length - 1 - row];
  }

  /** Its row, or -1. */
  rowOf(id) {
    const flow = this.#byId.get(id);
    if (!flow) return -1;
    const place = this.#place(flow.number);
    return this.#loaded[place]?.id === id ? this.#loaded.length - 1 - place : -1;
  }

  /** Load from the start, for this filter; what was known stays until the answer is there. */
  async reload(filter = this.filter) {
    this.filter = filter;
    const generation = ++this.#generation;
    this.#loading = null;
    this.#meanwhile = [];
    await this.#guarded(async () => {
      const page = await ask({ ...filter, limit: PAGE });
      if (generation !== this.#generation) return;
      this.#loaded = page.flows.toReversed();
      this.#byId = new Map(this.#loaded.map((flow) => [flow.id, flow]));
      this.total = page.total;
      this.known = true;
    });
    if (generation !== this.#generation) return;
    const missed = this.#meanwhile;
    this.#meanwhile = null;
    for (const flow of missed) this.take(flow);
    this.#changed();
  }

  /** See that the flows down to this row are loaded, page after page. */
  async reach(row) {
    if (this.#loading || this.#loaded.length === 0) return;
    const generation = this.#generation;
    this.#loading = this.#guarded(async () => {
      while (this.#loaded.length <= Math.min(row, this.total - 1)) {
        const page = await ask({ ...this.filter, before: this.#loaded[0].number, limit: PAGE });
        if (generation !== this.#generation) return;
        this.total = page.flows.length ? page.total : this.#loaded.length;
        this.#loaded = [...page.flows.toReversed(), ...this.#loaded];
        for (const flow of page.flows) this.#byId.set(flow.id, flow);
        this.#changed();
      }
    });
    await this.#loading;
    if (generation === this.#generation) this.#loading = null;
  }

  /** A flow was accepted or has changed. */
  take(flow) {
    this.#meanwhile?.push(flow);
    const known = this.#byId.get(flow.id);
    if (known) {
      if (flow.elapsed < known.elapsed) return; // an answer overtook this event
      const place = this.#place(flow.number);
      if (this.#matches(flow)) {
        this.#byId.set(flow.id, flow);
        this.#loaded[place] = flow;
      } else {
        this.#byId.delete(flow.id);
        this.#loaded.splice(place, 1);
        this.total -= 1;
      }
    } else if (this.#matches(flow)) {
      const place = this.#place(flow.number);
      if (place > 0 || this.total === this.#loaded.length) {
        this.#byId.set(flow.id, flow);
        this.#loaded.splice(place, 0, flow);
        this.total += 1;
      }
      this.#recount();
    } else if (this.filter.status) {
      this.#recount(); // it may have left a row that is not loaded
    }
    this.#changed();
  }

  /** Everything is gone. */
  forget() {
    this.#generation += 1;
    this.#loading = null;
    this.#meanwhile = null;
    this.#loaded = [];
    this.#byId.clear();
    this.total = 0;
    this.#changed();
  }

  #matches(flow) {
    const { to, status } = this.filter;
    const part = to.replace(/^\+/, ""); // as the sandbox compares: some numbers are written without their plus
    return (!status || flow.status === status) && (!part || flow.to.some((number) => number.includes(part)));
  }

  /** Where a flow of this number is, or would be, among those loaded. */
  #place(number) {
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

  /** The sandbox forgets its oldest flows without a word, so that after new ones came it is asked how many it keeps. */
  #recount() {
    this.#recounting ??= setTimeout(() => {
      this.#recounting = null;
      this.#guarded(async () => {
        const generation = this.#generation;
        const { total } = await ask({ ...this.filter, limit: 1 });
        if (generation !== this.#generation) return;
        for (const old of this.#loaded.splice(0, this.#loaded.length - total)) this.#byId.delete(old.id);
        this.total = total;
        this.#changed();
      });
    }, RECOUNT);
  }

  async #guarded(asking) {
    try {
      await asking();
    } catch (error) {
      this.#failed(error);
    }
  }
}
