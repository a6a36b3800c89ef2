// The list of cameras as checkboxes. Nothing checked means every camera.

import { byId, el, integer } from "../shared/dom.js";

const SHOWN_AT_MOST = 300;
const byName = new Intl.Collator(undefined, { numeric: true }).compare;

export class CameraFilter {
  #cameras = [];
  #read = false;
  #chosen = new Set();

  /** @param {function()} onChange called when a person takes all cameras again; a box that is ticked tells it by itself */
  constructor(onChange) {
    byId("camera-filter").addEventListener("input", () => this.#render());
    byId("camera-filter").addEventListener("keydown", (event) => {
      // Enter in the finder must not start a search with a filter half typed.
      if (event.key === "Enter") event.preventDefault();
    });
    byId("cameras").addEventListener("change", ({ target }) => {
      if (target.checked) this.#chosen.add(target.value);
      else this.#chosen.delete(target.value);
      this.#renderChosen();
    });
    byId("cameras-clear").addEventListener("click", () => {
      this.chosen = [];
      onChange();
      byId("camera-filter").focus();
    });
  }

  /** Ids of the cameras that the search is limited to; none for all. */
  get chosen() {
    return [...this.#chosen].sort(byName);
  }

  set chosen(ids) {
    this.#chosen = new Set(ids);
    this.#render();
  }

  /** Whether it is known that no camera holds a crop. */
  get empty() {
    return this.#read && this.#cameras.every(({ crops }) => crops === 0);
  }

  /** @param {{camera_id: string, crops: number}[]} cameras what was read of them; who is chosen stays chosen */
  set cameras(cameras) {
    this.#cameras = cameras.toSorted((a, b) => byName(a.camera_id, b.camera_id));
    this.#read = true;
    byId("camera-names").replaceChildren(...this.#cameras.map(({ camera_id }) => el("option", { value: camera_id })));
    this.#render();
  }

  /** The cameras that were read, and before them those that are chosen and not among them: a filter must be seen to be taken off. */
  get #rows() {
    const known = new Set(this.#cameras.map(({ camera_id }) => camera_id));
    const others = this.chosen.filter((id) => !known.has(id));
    return [...others.map((id) => ({ camera_id: id, crops: null })), ...this.#cameras];
  }

  #render() {
    const wanted = byId("camera-filter").value.trim().toLowerCase();
    const matching = this.#rows.filter(({ camera_id }) => camera_id.toLowerCase().includes(wanted));
    byId("cameras").replaceChildren(...matching.slice(0, SHOWN_AT_MOST).map((camera) => this.#row(camera)));
    const left = matching.length - SHOWN_AT_MOST;
    const more = byId("cameras-more");
    more.hidden = left <= 0 && (matching.length > 0 || this.#cameras.length === 0);
    more.textContent = left > 0 ? `${integer(left)} more: type a part of the name.` : "No camera of this name.";
    byId("camera-filter").hidden = this.#cameras.length <= 6;
    this.#renderChosen();
  }

  #row({ camera_id, crops }) {
    const box = el("input", { type: "checkbox", value: camera_id, checked: this.#chosen.has(camera_id) });
    return el("li", {}, el("label", {}, box, el("span", { class: "name" }, camera_id), el("span", { class: "count" }, crops === null ? "unknown" : integer(crops))));
  }

  #renderChosen() {
    byId("cameras-chosen").textContent =
      this.#chosen.size === 0 ? "all" : `${integer(this.#chosen.size)} of ${integer(this.#rows.length)}`;
    byId("cameras-clear").hidden = this.#chosen.size === 0;
  }
}
