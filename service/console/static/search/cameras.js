// The list of cameras as checkboxes. Nothing checked means every camera.

import { byId, el, integer } from "../shared/dom.js";

const SHOWN_AT_MOST = 300;
const byName = new Intl.Collator(undefined, { numeric: true }).compare;

export class CameraFilter {
  #cameras = [];
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

  /** Whether no camera holds a crop. */
  get empty() {
    return this.#cameras.every(({ crops }) => crops === 0);
  }

  /** @param {{camera_id: string, crops: number}[]} cameras */
  set cameras(cameras) {
    this.#cameras = cameras.toSorted((a, b) => byName(a.camera_id, b.camera_id));
    const known = new Set(cameras.map(({ camera_id }) => camera_id));
    this.#chosen = new Set(this.chosen.filter((id) => known.has(id)));
    byId("camera-names").replaceChildren(...this.#cameras.map(({ camera_id }) => el("option", { value: camera_id })));
    this.#render();
  }

  #render() {
    const wanted = byId("camera-filter").value.trim().toLowerCase();
    const matching = this.#cameras.filter(({ camera_id }) => camera_id.toLowerCase().includes(wanted));
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
    return el("li", {}, el("label", {}, box, el("span", { class: "name" }, camera_id), el("span", { class: "count" }, integer(crops))));
  }

  #renderChosen() {
    byId("cameras-chosen").textContent =
      this.#chosen.size === 0 ? "all" : `${integer(this.#chosen.size)} of ${integer(this.#cameras.length)}`;
    byId("cameras-clear").hidden = this.#chosen.size === 0;
  }
}
