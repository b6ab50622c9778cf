// What happens in the sandbox, as it happens. A stream that breaks is opened again, and whoever listens loads anew.

import { events } from "./api.js";

const KINDS = ["flow", "callback", "clock", "cleared", "rules", "lagged"];
const SOONEST = 500;
const LATEST = 5000;

/**
 * Follows the sandbox's events: `on[kind](data)` for each, `on.connected()` when the stream is open (again), when
 * everything may have changed, and `on.lost()` when it has broken.
 */
export function follow(on) {
  let wait = SOONEST;
  const open = () => {
    const stream = events();
    stream.onopen = () => {
      wait = SOONEST;
      on.connected();
    };
    stream.onerror = () => {
      // The browser's own second try gives up for good at the first answer that is no stream; this one never does.
      stream.close();
      on.lost();
      setTimeout(open, wait);
      wait = Math.min(wait * 2, LATEST);
    };
    for (const kind of KINDS) {
      stream.addEventListener(kind, (event) => on[kind]?.(event.data ? JSON.parse(event.data) : {}));
    }
  };
  open();
}
