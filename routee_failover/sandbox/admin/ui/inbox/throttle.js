// Throttling of redraws: at once when there are few changes, and a few times per second when there are many.

const INTERVAL = 100; // ms between two redraws

/** Returns a function that has `draw()` called soon, once for all the calls until then. */
export function throttled(draw) {
  let scheduled = false;
  let last = -Infinity;
  const run = () => {
    scheduled = false;
    last = performance.now();
    draw();
  };
  return () => {
    if (scheduled) return;
    scheduled = true;
    setTimeout(run, Math.max(0, last + INTERVAL - performance.now()));
  };
}
