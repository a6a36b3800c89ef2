// Cutting a vehicle out of a full frame: a box that is drawn, moved and pulled at its corners, or typed in pixels.

import { byId, el } from "../shared/dom.js";

const SMALLEST_PX = 8;
const CORNERS = ["nw", "ne", "sw", "se"];
const SIDES = ["left", "top", "width", "height"];

export class Cropper {
  #dialog = byId("cropper");
  #stage = el("div", { class: "stage" });
  #box = el("div", { class: "box", tabIndex: 0, role: "img", "aria-label": "The box; arrow keys move it, with Shift they change its size" });
  #fields = Object.fromEntries(SIDES.map((side) => [side, el("input", { type: "number", min: "0", step: "1", required: true })]));
  #picture = null;
  #image = null;
  #rect = null;
  #onCut = null;

  constructor() {
    for (const corner of CORNERS) this.#box.append(el("span", { class: `corner ${corner}`, data: { corner } }));
    this.#stage.addEventListener("pointerdown", (event) => this.#drag(event));
    this.#box.addEventListener("keydown", (event) => this.#step(event));
    for (const side of SIDES) this.#fields[side].addEventListener("change", () => this.#type());
  }

  /**
   * Let a person choose a part of a picture.
   * @param {{blob: Blob, name: string, address: string}} picture
   * @param {function(Blob)} onCut called with the part, losslessly coded
   */
  async open(picture, onCut) {
    this.#picture = picture;
    this.#onCut = onCut;
    this.#image = el("img", { src: picture.address, alt: `The whole picture ${picture.name}`, draggable: false });
    await this.#image.decode();
    const { naturalWidth: width, naturalHeight: height } = this.#image;
    this.#stage.replaceChildren(this.#image, this.#box);
    const button = (text, kind, action) => {
      const made = el("button", { type: "button", class: kind }, text);
      made.addEventListener("click", action);
      return made;
    };
    const names = { left: "Left", top: "Top", width: "Width", height: "Height" };
    const labels = SIDES.map((side) => el("label", { class: "field" }, el("span", {}, `${names[side]}, px`), this.#fields[side]));
    this.#dialog.replaceChildren(
      el("header", {}, el("h2", { id: "cropper-title" }, "Cut the vehicle out"), button("Cancel", "", () => this.#dialog.close())),
      el("p", { class: "hint" }, "Draw a box close around one vehicle. Move it by its middle, change it at its corners."),
      this.#stage,
      el("div", { class: "sides" }, ...labels),
      el("div", { class: "actions" }, button("Use this part", "primary", () => this.#cut())),
    );
    this.#dialog.showModal();
    this.#set({ left: width / 4, top: height / 4, width: width / 2, height: height / 2 });
    this.#box.focus();
  }

  get #size() {
    return { width: this.#image.naturalWidth, height: this.#image.naturalHeight };
  }

  /** Show a box, kept inside the picture and at least as large as the service takes. */
  #set({ left, top, width, height }) {
    const size = this.#size;
    const w = Math.min(size.width, Math.max(SMALLEST_PX, Math.round(width)));
    const h = Math.min(size.height, Math.max(SMALLEST_PX, Math.round(height)));
    const x = Math.min(size.width - w, Math.max(0, Math.round(left)));
    const y = Math.min(size.height - h, Math.max(0, Math.round(top)));
    this.#rect = { left: x, top: y, width: w, height: h };
    for (const side of SIDES) {
      const whole = side === "left" || side === "width" ? size.width : size.height;
      this.#box.style[side] = `${(100 * this.#rect[side]) / whole}%`;
      this.#fields[side].value = String(this.#rect[side]);
    }
  }

  #type() {
    if (SIDES.some((side) => this.#fields[side].value === "")) return;
    this.#set(Object.fromEntries(SIDES.map((side) => [side, Number(this.#fields[side].value)])));
  }

  /** Where a pointer is, in pixels of the picture. */
  #point({ clientX, clientY }) {
    const shown = this.#image.getBoundingClientRect();
    const size = this.#size;
    return {
      x: Math.min(size.width, Math.max(0, ((clientX - shown.left) / shown.width) * size.width)),
      y: Math.min(size.height, Math.max(0, ((clientY - shown.top) / shown.height) * size.height)),
    };
  }

  #drag(event) {
    event.preventDefault();
    this.#box.focus();
    this.#stage.setPointerCapture(event.pointerId);
    const from = this.#point(event);
    const before = this.#rect;
    const corner = event.target.dataset.corner;
    const move = corner === undefined && event.target === this.#box;
    // Opposite of the corner that is pulled; where a new box is drawn, the point where that began.
    const anchor =
      corner === undefined
        ? from
        : {
            x: corner.includes("w") ? before.left + before.width : before.left,
            y: corner.includes("n") ? before.top + before.height : before.top,
          };
    const follow = (moved) => {
      const to = this.#point(moved);
      if (move) this.#set({ ...before, left: before.left + to.x - from.x, top: before.top + to.y - from.y });
      else this.#set({ left: Math.min(anchor.x, to.x), top: Math.min(anchor.y, to.y), width: Math.abs(to.x - anchor.x), height: Math.abs(to.y - anchor.y) });
    };
    const end = () => {
      this.#stage.removeEventListener("pointermove", follow);
      this.#stage.removeEventListener("pointerup", end);
      this.#stage.removeEventListener("pointercancel", end);
    };
    this.#stage.addEventListener("pointermove", follow);
    this.#stage.addEventListener("pointerup", end);
    this.#stage.addEventListener("pointercancel", end);
  }

  #step(event) {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const px = Math.max(1, Math.round(this.#size.width / 100));
    const [x, y] = steps[event.key].map((way) => way * px);
    const { left, top, width, height } = this.#rect;
    this.#set(event.shiftKey ? { left, top, width: width + x, height: height + y } : { left: left + x, top: top + y, width, height });
  }

  async #cut() {
    const { left, top, width, height } = this.#rect;
    const canvas = el("canvas", { width, height });
    canvas.getContext("2d").drawImage(this.#image, left, top, width, height, 0, 0, width, height);
    const part = await new Promise((done) => canvas.toBlob(done, "image/png"));
    this.#dialog.close();
    this.#onCut(part);
  }
}
