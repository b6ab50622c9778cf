// Drawing that keeps up with a flood: at once when it is quiet, and a few times a second however much happens.

const PAUSE = 100; // ms between two times

/** A function that has `draw()` called soon, once for all the calls until then. */
export function soon(draw) {
  let asked = false;
  let last = -Infinity;
  const now = () => {
    asked = false;
    last = performance.now();
    draw();
  };
  return () => {
    if (asked) return;
    asked = true;
    setTimeout(now, Math.max(0, last + PAUSE - performance.now()));
  };
}
