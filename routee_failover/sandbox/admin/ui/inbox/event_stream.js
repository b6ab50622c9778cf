// The sandbox's server-sent events. A broken stream is opened again, and its subscriber reloads everything.

import { events } from "./api.js";

const KINDS = ["flow", "callback", "clock", "cleared", "rules", "lagged"];
const MIN_BACKOFF = 500; // ms
const MAX_BACKOFF = 5000; // ms

/**
 * Subscribes to the sandbox's events: calls `on[kind](data)` for each, `on.connected()` when the stream is open (again)
 * and everything may have changed, and `on.lost()` when it has broken.
 */
export function subscribe(on) {
  let backoff = MIN_BACKOFF;
  const open = () => {
    const stream = events();
    stream.onopen = () => {
      backoff = MIN_BACKOFF;
      on.connected();
    };
    stream.onerror = () => {
      // The browser's own reconnection gives up for good at the first response that is no stream; this one never does.
      stream.close();
      on.lost();
      setTimeout(open, backoff);
      backoff = Math.min(backoff * 2, MAX_BACKOFF);
    };
    for (const kind of KINDS) {
      stream.addEventListener(kind, (event) => on[kind]?.(event.data ? JSON.parse(event.data) : {}));
    }
  };
  open();
}
