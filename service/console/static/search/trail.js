// The way back: every query of this visit with its answer, tied to the browser's own history.

import { byId, el } from "../shared/dom.js";

export class Trail {
  #steps = [];
  #at = -1;
  #shown = false;
  #onShow;

  /** @param {function({query: Object, answer: Object})} onShow called when the person goes back or forward to a step */
  constructor(onShow) {
    this.#onShow = onShow;
    history.replaceState({ step: -1 }, "");
    addEventListener("popstate", ({ state }) => this.#go(state?.step ?? -1));
  }

  /** The step whose answer is on the page; null where none is. */
  get current() {
    return this.#shown ? this.#steps[this.#at] : null;
  }

  /** Add a step after the current one; what came after it is forgotten, as in the browser's history. */
  push(step) {
    this.#steps = [...this.#steps.slice(0, this.#at + 1), step];
    this.#at = this.#steps.length - 1;
    this.#shown = true;
    history.pushState({ step: this.#at }, "");
    this.#render();
  }

  /** The answer on the page is gone. The way stays, and a step is shown again when it is chosen. */
  leave() {
    this.#shown = false;
    this.#render();
  }

  #go(at) {
    // Entries of an earlier visit outlive a reload; their pictures do not.
    if (at >= this.#steps.length) return;
    this.#at = at;
    this.#shown = at >= 0;
    this.#render();
    this.#onShow(this.current);
  }

  #render() {
    byId("trail").hidden = this.#steps.length === 0;
    byId("trail").replaceChildren(el("ol", {}, ...this.#steps.map((step, at) => el("li", {}, this.#chip(step, at)))));
    byId("trail").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  #chip(step, at) {
    const { query, label } = step;
    const image = el("img", { src: query.files[0].address || null, alt: "" });
    image.addEventListener("error", () => image.remove());
    const chip = el("button", { type: "button", "aria-current": this.#shown && at === this.#at ? "step" : null }, image, el("span", {}, label));
    // history.go(0) would reload the page and lose the trail.
    chip.addEventListener("click", () => (at === this.#at ? this.#go(at) : history.go(at - this.#at)));
    return chip;
  }
}
