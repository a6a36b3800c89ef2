// Asking again now and then, as long as somebody looks.

/** Do something now, and again that long after it was done, but not while the page is hidden. */
export function repeat(work, everyMs) {
  let waiting = null;
  const step = async () => {
    clearTimeout(waiting);
    if (document.hidden) return;
    await work();
    waiting = setTimeout(step, everyMs);
  };
  document.addEventListener("visibilitychange", step);
  step();
}
