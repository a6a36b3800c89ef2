// The time brush: how many pictures were taken when, and the part of it that the search looks at.

import { byId, el, integer } from "../shared/dom.js";
import { inLocalTime, inputNotBefore, inputOfTime } from "../shared/time.js";

const EDGES = ["from", "to"];
// About a pixel: the least that can be chosen, and what cannot be told from an end of the span.
const SMALLEST_SHARE = 0.004;
// The fields hold whole seconds; a smaller step would not move them.
const SMALLEST_STEP_MS = 1000;

export class TimeBrush {
  #track = byId("brush-track");
  #bars = byId("brush-bars");
  #chosen = byId("brush-chosen");
  #handles = { from: byId("brush-from"), to: byId("brush-to") };
  #start = 0;
  #end = 0;

  constructor() {
    this.#track.addEventListener("pointerdown", (event) => this.#drag(event));
    for (const edge of EDGES) {
      this.#handles[edge].addEventListener("keydown", (event) => this.#step(event, edge));
      byId(edge).addEventListener("input", () => this.#render());
    }
    byId("brush-clear").addEventListener("click", () => this.#write({ from: null, to: null }));
  }

  /** @param {?{start: string, end: string, counts: number[]}} timeline null where no time of capture is known */
  set timeline(timeline) {
    byId("brush").hidden = timeline === null;
    if (timeline === null) return;
    this.#start = Date.parse(timeline.start);
    this.#end = Date.parse(timeline.end);
    const most = Math.max(...timeline.counts);
    const width = 100 / timeline.counts.length;
    this.#bars.replaceChildren(
      ...timeline.counts.map((crops, at) => {
        const bar = el("span", { class: "bucket" });
        bar.style.left = `${at * width}%`;
        bar.style.width = `${width}%`;
        // One picture among thousands must not vanish.
        bar.style.height = crops === 0 ? "0" : `${Math.max(8, 100 * Math.sqrt(crops / most))}%`;
        return bar;
      }),
    );
    byId("brush-span").textContent = `${inLocalTime(timeline.start)} to ${inLocalTime(timeline.end)}, at most ${integer(most)} pictures a bar`;
    this.#render();
  }

  /** Times in the two fields, as milliseconds; the span's own where a field is empty. */
  get #window() {
    const read = (edge, otherwise) => (byId(edge).value === "" ? otherwise : new Date(byId(edge).value).getTime());
    return { from: read("from", this.#start), to: read("to", this.#end) };
  }

  #share(time) {
    return Math.min(1, Math.max(0, (time - this.#start) / (this.#end - this.#start)));
  }

  #render() {
    if (this.#end <= this.#start) return;
    const window = this.#window;
    const [left, right] = [this.#share(window.from), this.#share(window.to)];
    this.#chosen.style.left = `${100 * left}%`;
    this.#chosen.style.width = `${100 * Math.max(0, right - left)}%`;
    for (const edge of EDGES) {
      const handle = this.#handles[edge];
      handle.style.left = `${100 * (edge === "from" ? left : right)}%`;
      handle.setAttribute("aria-valuenow", String(Math.round(100 * (edge === "from" ? left : right))));
      handle.setAttribute("aria-valuetext", byId(edge).value === "" ? "no limit" : inLocalTime(new Date(window[edge]).toISOString()));
    }
    byId("brush-clear").hidden = byId("from").value === "" && byId("to").value === "";
  }

  /**
   * Set the fields of the edges named, the other stays as it is. An edge at its end of the span, or null, leaves the field
   * empty: no limit. Both are rounded outwards, so that no picture in what is chosen is left out. The fields tell whoever
   * listens, this brush too.
   * @param {{from?: ?number, to?: ?number}} edges
   */
  #write(edges) {
    for (const [edge, time] of Object.entries(edges)) {
      byId(edge).value = this.#valueOf(edge, time);
      byId(edge).dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  #valueOf(edge, time) {
    const margin = SMALLEST_SHARE * (this.#end - this.#start);
    if (time === null || (edge === "from" ? time <= this.#start + margin : time >= this.#end - margin)) return "";
    return edge === "from" ? inputOfTime(new Date(time)) : inputNotBefore(new Date(time));
  }

  #drag(event) {
    event.preventDefault();
    this.#track.setPointerCapture(event.pointerId);
    const shown = this.#track.getBoundingClientRect();
    const time = ({ clientX }) => this.#start + Math.min(1, Math.max(0, (clientX - shown.left) / shown.width)) * (this.#end - this.#start);
    const edge = EDGES.find((one) => this.#handles[one] === event.target);
    const first = time(event);
    this.#handles[edge ?? "to"].focus();
    const follow = (moved) => {
      const reached = time(moved);
      const edges = edge === undefined ? { from: Math.min(first, reached), to: Math.max(first, reached) } : { [edge]: reached };
      const next = { ...this.#window, ...edges };
      if (next.to - next.from >= SMALLEST_SHARE * (this.#end - this.#start)) this.#write(edges);
    };
    const end = () => {
      this.#track.removeEventListener("pointermove", follow);
      this.#track.removeEventListener("pointerup", end);
      this.#track.removeEventListener("pointercancel", end);
    };
    this.#track.addEventListener("pointermove", follow);
    this.#track.addEventListener("pointerup", end);
    this.#track.addEventListener("pointercancel", end);
  }

  #step(event, edge) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const window = this.#window;
    const step = Math.max(SMALLEST_STEP_MS, (this.#end - this.#start) / 100);
    const moved = Math.min(this.#end, Math.max(this.#start, window[edge] + steps[event.key] * step));
    const next = { ...window, [edge]: moved };
    if (next.from < next.to) this.#write({ [edge]: moved });
  }
}
