// The time brush: how many pictures were taken when, and the part of it that the search looks at.

import { byId, el, integer } from "../shared/dom.js";
import { inLocalTime, inputOfTime } from "../shared/time.js";

const EDGES = ["from", "to"];
const SMALLEST_SHARE = 0.004;

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
    byId("brush-clear").addEventListener("click", () => this.#write(null, null));
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
      handle.setAttribute("aria-valuetext", inLocalTime(new Date(window[edge]).toISOString()));
    }
    byId("brush-clear").hidden = byId("from").value === "" && byId("to").value === "";
  }

  /** Set the two fields; null leaves one empty. They tell whoever listens, this brush too. */
  #write(from, to) {
    for (const [edge, time] of [["from", from], ["to", to]]) {
      byId(edge).value = time === null ? "" : inputOfTime(new Date(time));
      byId(edge).dispatchEvent(new Event("input"));
    }
  }

  #drag(event) {
    event.preventDefault();
    this.#track.setPointerCapture(event.pointerId);
    const shown = this.#track.getBoundingClientRect();
    const time = ({ clientX }) => this.#start + Math.min(1, Math.max(0, (clientX - shown.left) / shown.width)) * (this.#end - this.#start);
    const edge = EDGES.find((one) => this.#handles[one] === event.target);
    const fixed = edge === undefined ? time(event) : this.#window[edge === "from" ? "to" : "from"];
    this.#handles[edge ?? "to"].focus();
    const follow = (moved) => {
      const reached = time(moved);
      if (Math.abs(reached - fixed) < SMALLEST_SHARE * (this.#end - this.#start)) return;
      this.#write(Math.min(fixed, reached), Math.max(fixed, reached));
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
    const moved = Math.min(this.#end, Math.max(this.#start, window[edge] + (steps[event.key] * (this.#end - this.#start)) / 100));
    const next = { ...window, [edge]: moved };
    if (next.from < next.to) this.#write(next.from, next.to);
  }
}
