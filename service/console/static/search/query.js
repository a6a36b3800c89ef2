// The query form: pictures by choosing, dropping or pasting, and the fields beside them.

import { collection } from "../shared/collection.js";
import { byId, count, el } from "../shared/dom.js";
import { utcOfInput, zoneSentence } from "../shared/time.js";
import { CameraFilter } from "./cameras.js";
import { Cropper } from "./cropper.js";

const PICTURES_AT_MOST = 16;

/** What a query asks for, but for its pictures, as text to compare. A purpose changes no answer. */
const settingsOf = ({ files, purpose, ...settings }) => JSON.stringify(settings);

/** A picture of the query: its bytes, a name, and an address to show it by; the crop that it is, where it is enrolled. */
export const picture = (blob, name, crop = null) => ({ blob, name, crop, address: blob === null ? "" : URL.createObjectURL(blob) });

export class QueryForm {
  #cropper = new Cropper();
  #pictures = [];
  #rejected = [];
  #onChange;
  #onProblem;

  /** @param {{onSearch: function(), onChange: function(), onProblem: function(string, string)}} listeners */
  constructor({ onSearch, onChange, onProblem }) {
    this.#onChange = onChange;
    this.#onProblem = onProblem;
    this.cameraFilter = new CameraFilter(onChange);
    for (const kind of ["input", "change"]) byId("query").addEventListener(kind, onChange);
    byId("query").addEventListener("submit", (event) => {
      event.preventDefault();
      onSearch();
    });
    byId("files").addEventListener("change", ({ target }) => {
      this.add([...target.files]);
      target.value = "";
    });
    for (const id of ["from", "to"]) byId(id).addEventListener("input", () => this.#renderZone());
    this.#takeDrops();
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.add(files);
    });
    byId("rejected-clear").addEventListener("click", () => {
      this.#rejected = [];
      this.#renderPictures();
      onSearch();
    });
    this.#renderZone();
  }

  get pictures() {
    return this.#pictures;
  }

  add(files) {
    // A picture that comes from outside begins a query of its own: enrolled crops are searched by their stored vectors.
    if (this.#pictures.some(({ crop }) => crop)) this.replacePictures([], "");
    const room = PICTURES_AT_MOST - this.#pictures.length;
    if (files.length > room) {
      this.#onProblem("Too many pictures", `One query takes up to ${PICTURES_AT_MOST} pictures of one vehicle; the rest was left out.`);
    }
    this.#pictures = [...this.#pictures, ...files.slice(0, room).map((file) => picture(file, file.name || "pasted picture"))];
    this.#renderPictures();
  }

  /** What is set in the form, times in UTC, or a sentence on why it is no query. */
  read() {
    const from = byId("from");
    const to = byId("to");
    if (this.#pictures.length === 0) return { problem: "Choose, drop or paste a picture of the vehicle first.", at: byId("files") };
    for (const field of [from, to, byId("k"), byId("min-score")]) {
      if (field.validity.valid) continue;
      return { problem: `${field.closest("label").querySelector("span").textContent}: ${field.validationMessage}`, at: field };
    }
    const window = { from: utcOfInput(from.value), to: utcOfInput(to.value) };
    if (window.from !== null && window.to !== null && new Date(window.from) >= new Date(window.to)) {
      return { problem: "The time window ends before it starts.", at: to };
    }
    const minScore = byId("min-score").value;
    return {
      query: {
        files: this.#pictures,
        camera: byId("camera").value.trim(),
        rejected: this.#rejected,
        cameras: this.cameraFilter.chosen,
        ...window,
        local: { from: from.value, to: to.value },
        k: Number(byId("k").value),
        groupBy: byId("group-by").value,
        rerank: byId("rerank").value,
        normalization: byId("normalization").checked,
        minScore: minScore === "" ? null : Number(minScore),
        collection,
        purpose: byId("purpose").value.trim(),
      },
    };
  }

  /** Whether the form, as it is, asks what a query asked. */
  asks(query) {
    const now = this.read().query;
    if (now === undefined || now.files.length !== query.files.length) return false;
    return now.files.every((file, at) => file === query.files[at]) && settingsOf(now) === settingsOf(query);
  }

  /** Show an earlier query again. */
  write(query) {
    this.replacePictures(query.files, query.camera, query.rejected);
    this.cameraFilter.chosen = query.cameras;
    this.#writeWindow(query.local.from, query.local.to);
    byId("k").value = query.k;
    byId("group-by").value = query.groupBy;
    byId("rerank").value = query.rerank;
    byId("normalization").checked = query.normalization;
    byId("min-score").value = query.minScore ?? "";
    byId("purpose").value = query.purpose;
  }

  replacePictures(pictures, camera, rejected = []) {
    this.#pictures = pictures;
    this.#rejected = rejected;
    byId("camera").value = camera;
    this.#renderPictures();
  }

  /** Leave a crop out of this search, with its track. */
  reject(crop) {
    // A second click comes before the answer without it.
    if (!this.#rejected.includes(crop)) this.#rejected = [...this.#rejected, crop];
    this.#renderPictures();
  }

  clearFilters() {
    this.cameraFilter.chosen = [];
    byId("min-score").value = "";
    this.#writeWindow("", "");
  }

  #writeWindow(from, to) {
    for (const [id, value] of Object.entries({ from, to })) {
      byId(id).value = value;
      byId(id).dispatchEvent(new Event("input", { bubbles: true }));
    }
  }

  #renderPictures() {
    byId("crops").replaceChildren(...this.#pictures.map((shown, at) => this.#tile(shown, at)));
    byId("drop").classList.toggle("filled", this.#pictures.length > 0);
    const stored = this.#pictures.some(({ crop }) => crop);
    byId("camera").readOnly = stored;
    byId("camera-hint").textContent = stored ? "It took the enrolled picture; its own sightings are left out." : "Its own sightings are then left out.";
    byId("rejected").hidden = this.#rejected.length === 0;
    byId("rejected-count").textContent = `${count(this.#rejected.length, "picture")} left out of this search`;
    document.querySelector(".choose").textContent = this.#pictures.length > 0 ? "Add pictures" : "Choose pictures";
    this.#onChange();
  }

  #tile(shown, at) {
    const image = el("img", { src: shown.address, alt: shown.name });
    // What the browser cannot show (TIFF, or no picture at all) is named; whether it is a picture is the service's to say.
    image.addEventListener("error", () => {
      image.replaceWith(el("span", { class: "no-preview" }, shown.name));
      crop.remove();
    });
    const crop = el("button", { type: "button", class: "crop", "aria-label": `Cut the vehicle out of ${shown.name}` }, "Crop");
    crop.hidden = Boolean(shown.crop);
    crop.addEventListener("click", () => this.#cropper.open(shown, (part) => this.#replace(at, picture(part, shown.name))));
    const remove = el("button", { type: "button", class: "remove", "aria-label": `Remove ${shown.name}`, title: "Remove" }, "×");
    remove.addEventListener("click", () => {
      this.#remove(at);
      (byId("crops").querySelectorAll(".remove")[Math.max(0, at - 1)] ?? byId("files")).focus();
    });
    return el("li", {}, image, crop, remove);
  }

  #remove(at) {
    const left = this.#pictures.filter((_, other) => other !== at);
    // An enrolled picture brought its camera, and what was left out beside it; both go with the last one.
    const lastStored = this.#pictures[at].crop && !left.some(({ crop }) => crop);
    if (lastStored) this.replacePictures(left, "");
    else this.replacePictures(left, byId("camera").value, this.#rejected);
  }

  #replace(at, shown) {
    this.#pictures = this.#pictures.with(at, shown);
    this.#renderPictures();
    byId("crops").querySelectorAll(".crop")[at]?.focus();
  }

  #renderZone() {
    byId("zone").textContent = zoneSentence(utcOfInput(byId("from").value), utcOfInput(byId("to").value));
  }

  #takeDrops() {
    const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
    const mark = (on) => byId("drop").classList.toggle("over", on);
    // The whole page takes drops: a picture that misses the box must not replace the page.
    document.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      mark(true);
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) mark(false);
    });
    document.addEventListener("drop", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      mark(false);
      this.add([...event.dataTransfer.files]);
    });
  }
}
