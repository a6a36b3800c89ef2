// A vehicle's pictures, to be confirmed, taken off it, or made a vehicle of their own.

import { get, send, ServiceProblem } from "../shared/api.js";
import { collection } from "../shared/collection.js";
import { button, count, el, integer } from "../shared/dom.js";
import { ask, field, text, textOf } from "../shared/forms.js";
import { clearMessages, showProblem } from "../shared/messages.js";
import { cropImage } from "../shared/pictures.js";
import { inLocalTime } from "../shared/time.js";

const PAGE = 200;
const THUMBNAIL_PX = 160;

export class CropPicker {
  #id;
  #onChange;
  #parameters;
  #cursor = null;
  #busy = false;
  #list = el("ul", { class: "picker" });
  #note = el("p", { class: "hint", role: "status" });
  #more = button("More", () => this.#attempt(() => this.#load()), { class: "next-page", hidden: true });
  #buttons;

  /** @param {string} id @param {{onChange: function(): Promise, parameters: Object}} options `onChange` shows the vehicle anew */
  constructor(id, { onChange, parameters }) {
    this.#id = id;
    this.#onChange = onChange;
    this.#parameters = parameters;
    this.#buttons = [
      button("Confirm", () => this.#attempt(() => this.#send("crops"))),
      button("Not this vehicle", () => this.#remove()),
      button("Split off as another", () => this.#split()),
    ];
    this.element = el("section", { "aria-label": "Pictures" }, el("h2", {}, "Pictures"), el("div", { class: "tools" }, ...this.#buttons, this.#note), this.#list, this.#more);
    this.#renderChosen();
  }

  /** Show the newest pictures; none is chosen. */
  async show() {
    this.#cursor = null;
    await this.#load();
  }

  async #load() {
    const from = this.#cursor;
    const page = await get("gallery", { collection, vehicle_ids: [this.#id], limit: PAGE, cursor: from });
    const tiles = page.items.map((crop) => this.#tile(crop));
    if (from === null) this.#list.replaceChildren(...tiles);
    else this.#list.append(...tiles);
    this.#cursor = page.next_cursor;
    this.#more.hidden = this.#cursor === null;
    this.#renderChosen();
  }

  /** The pictures that are ticked, and no others. */
  get #chosen() {
    return [...this.#list.querySelectorAll(":checked")].map(({ value }) => value);
  }

  #tile(crop) {
    const box = el("input", { type: "checkbox", value: crop.id, "aria-label": `Picture of camera ${crop.camera_id}` });
    box.addEventListener("change", () => this.#renderChosen());
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

  #renderChosen() {
    const chosen = this.#chosen.length;
    for (const one of this.#buttons) one.disabled = chosen === 0 || this.#busy;
    if (this.#list.children.length === 0) this.#note.textContent = "There is no picture.";
    else this.#note.textContent = chosen === 0 ? "Choose pictures first." : `${integer(chosen)} chosen`;
  }

  /** One thing at a time; what is refused is told on the page. */
  async #attempt(work) {
    if (this.#busy) return;
    this.#busy = true;
    this.#renderChosen();
    clearMessages();
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      showProblem({ ...error, title: error.message });
    } finally {
      this.#busy = false;
      this.#renderChosen();
    }
  }

  async #send(path, crops = this.#chosen, said = {}) {
    await send("POST", `vehicles/~/${path}`, { crop_ids: crops, ...said }, this.#parameters);
    await this.#onChange();
  }

  #remove() {
    const crops = this.#chosen;
    ask({
      title: `Take ${count(crops.length, "picture")} off this vehicle?`,
      fields: [el("p", {}, "They stay enrolled, and belong to no vehicle until somebody says to which.")],
      action: "Take off",
      danger: true,
      submit: () => this.#send("crops/remove", crops),
    });
  }

  #split() {
    const crops = this.#chosen;
    const id = text("", { maxLength: 256 });
    ask({
      title: `Split ${count(crops.length, "picture")} off as another vehicle`,
      fields: [field("Id of the other vehicle", id, "Empty: one is made.")],
      action: "Split off",
      submit: () => {
        const named = textOf(id);
        return this.#send("split", crops, named === null ? {} : { vehicle_id: named });
      },
    });
  }
}
