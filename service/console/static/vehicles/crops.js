// A vehicle's pictures, to be confirmed, taken off it, or made a vehicle of their own.

import { get, send, ServiceProblem } from "../shared/api.js";
import { collection } from "../shared/collection.js";
import { button, el, integer } from "../shared/dom.js";
import { ask, field, text, textOf } from "../shared/forms.js";
import { showProblem } from "../shared/messages.js";
import { cropImage } from "../shared/pictures.js";
import { inLocalTime } from "../shared/time.js";

const SHOWN = 200;
const THUMBNAIL_PX = 160;

export class CropPicker {
  #chosen = new Set();
  #id;
  #listeners;
  #parameters;
  #list = el("ul", { class: "picker" });
  #note = el("p", { class: "hint", role: "status" });
  #buttons;

  /** @param {string} id @param {{onChange: function(), onGone: function(), parameters: Object}} options */
  constructor(id, { onChange, onGone, parameters }) {
    this.#id = id;
    this.#listeners = { onChange, onGone };
    this.#parameters = parameters;
    this.#buttons = [
      button("Confirm", () => this.#change("crops")),
      button("Not this vehicle", () => this.#change("crops/remove")),
      button("Split off as another", () => this.#split()),
    ];
    this.element = el("section", { "aria-label": "Pictures" }, el("h2", {}, "Pictures"), el("div", { class: "tools" }, ...this.#buttons, this.#note), this.#list);
    this.#renderChosen();
  }

  async show() {
    this.#chosen.clear();
    const page = await get("gallery", { collection, vehicle_ids: [this.#id], limit: SHOWN });
    this.#list.replaceChildren(...page.items.map((crop) => this.#tile(crop)));
    this.#renderChosen(page.next_cursor === null ? "" : `The newest ${integer(SHOWN)} are shown.`);
    if (page.items.length === 0) this.#listeners.onGone();
  }

  #tile(crop) {
    const box = el("input", { type: "checkbox", value: crop.id, "aria-label": `Picture of camera ${crop.camera_id}` });
    box.addEventListener("change", () => {
      if (box.checked) this.#chosen.add(crop.id);
      else this.#chosen.delete(crop.id);
      this.#renderChosen();
    });
    const when = crop.captured_at === null ? "time unknown" : inLocalTime(crop.captured_at);
    return el(
      "li",
      {},
      el(
        "label",
        {},
        crop.has_image ? cropImage(crop.id, { size: THUMBNAIL_PX }) : el("span", { class: "no-preview" }, "No picture is kept"),
        el("span", { class: "caption" }, box, ` ${crop.camera_id}, ${when}`),
        crop.vehicle_confirmed ? null : el("span", { class: "mark muted" }, "only claimed"),
      ),
    );
  }

  #renderChosen(more = "") {
    for (const one of this.#buttons) one.disabled = this.#chosen.size === 0;
    this.#note.textContent = this.#chosen.size === 0 ? `Choose pictures first. ${more}` : `${integer(this.#chosen.size)} chosen`;
  }

  async #change(path) {
    try {
      await send("POST", `vehicles/~/${path}`, { crop_ids: [...this.#chosen] }, this.#parameters);
      this.#listeners.onChange();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      showProblem(error);
    }
  }

  #split() {
    const id = text("", { maxLength: 256 });
    ask({
      title: "Split off as another vehicle",
      fields: [field("Id of the other vehicle", id, "Empty: one is made.")],
      action: "Split off",
      submit: async () => {
        const named = textOf(id);
        await send("POST", "vehicles/~/split", { crop_ids: [...this.#chosen], ...(named === null ? {} : { vehicle_id: named }) }, this.#parameters);
        this.#listeners.onChange();
      },
    });
  }
}
