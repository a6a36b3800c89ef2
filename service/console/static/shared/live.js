// Asking again now and then, as long as somebody looks.

/** Do something now, and again that long after it was done or failed, but not while the page is hidden. */
export function repeat(work, everyMs) {
  let waiting = null;
  let working = false;
  const step = async () => {
    clearTimeout(waiting);
    if (document.hidden || working) return;
    working = true;
    try {
      await work();
    } finally {
      working = false;
      waiting = setTimeout(step, everyMs);
    }
  };
  document.addEventListener("visibilitychange", step);
  step();
}
