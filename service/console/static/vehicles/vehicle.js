// One vehicle: what is said of it, its path over the cameras, and its pictures.

import { all, get, send, ServiceProblem } from "../shared/api.js";
import { addressOfNewWatch, collection } from "../shared/collection.js";
import { button, count, el, integer } from "../shared/dom.js";
import { ask, field, text, textOf } from "../shared/forms.js";
import { clearMessages, showProblem } from "../shared/messages.js";
import { cropImage } from "../shared/pictures.js";
import { Places } from "../shared/places.js";
import { bothClocks, duration, inLocalTime } from "../shared/time.js";
import { CropPicker } from "./crops.js";
import { timelineOf } from "./timeline.js";

const THUMBNAIL_PX = 160;
const MOST_WATCHED = 16;

/** The page of a vehicle; of all of them for null. */
export function addressOfVehicle(id) {
  const address = new URL(location.href);
  address.search = new URLSearchParams(id === null ? { collection } : { collection, vehicle: id }).toString();
  return address.href;
}

const distanceText = (metres) => (metres >= 1000 ? `${(metres / 1000).toFixed(1)} km` : `${Math.round(metres)} m`);

export class VehiclePage {
  element = el("div");
  #id;
  #head = el("div", { class: "vehicle-head" });
  #path = el("section", { "aria-label": "Path over the cameras" });
  #places = new Places();
  #crops;

  constructor(id) {
    this.#id = id;
    this.#crops = new CropPicker(id, { onChange: () => this.show(), onGone: () => location.assign(addressOfVehicle(null)), parameters: this.#parameters });
    this.element.append(this.#head, this.#path, this.#places.element, this.#crops.element);
  }

  /** The id goes as a parameter: it may hold anything, slashes too. */
  get #parameters() {
    return { id: this.#id, collection };
  }

  async show() {
    try {
      const [vehicle, sightings] = await Promise.all([
        get("vehicles/~", { ...this.#parameters, claimed: true }),
        all("vehicles/~/sightings", { ...this.#parameters, claimed: true, limit: 1000 }),
      ]);
      clearMessages();
      this.#showHead(vehicle, sightings);
      this.#showPath(sightings);
      await this.#crops.show();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      showProblem({ ...error, again: () => this.show() });
    }
  }

  #showHead(vehicle, sightings) {
    const said = Object.entries(vehicle.attributes).map(([name, value]) => `${name}: ${value}`).join(", ");
    const watch = el("a", { href: addressOfNewWatch(sightings.map(({ best_crop: best }) => best.id).slice(0, MOST_WATCHED)) }, "Watch for it");
    const actions = vehicle.confirmed
      ? [watch, button("Edit", () => this.#edit(vehicle)), button("Merge another into it", () => this.#merge()), button("Forget it", () => this.#forget(vehicle))]
      : [];
    this.#head.replaceChildren(
      el("h2", {}, vehicle.label ?? vehicle.vehicle_id, " ", el("span", { class: `mark ${vehicle.confirmed ? "good" : "muted"}` }, vehicle.confirmed ? "confirmed" : "only claimed")),
      el("p", { class: "hint" }, [vehicle.vehicle_id, said].filter(Boolean).join(" · ")),
      vehicle.notes === null ? "" : el("p", {}, vehicle.notes),
      el("p", {}, `${count(sightings.length, "sighting")} by ${count(vehicle.cameras, "camera")}, ${count(vehicle.crops, "confirmed picture")}, ${integer(vehicle.claimed_crops)} only claimed`),
      el("div", { class: "tools" }, ...actions),
    );
  }

  #showPath(sightings) {
    const placed = [];
    const ways = [];
    for (const sighting of sightings.filter(({ camera }) => camera.latitude !== null)) {
      const { camera } = sighting;
      let at = placed.findIndex(({ camera_id }) => camera_id === camera.camera_id);
      if (at < 0) at = placed.push({ ...camera, label: camera.name ?? camera.camera_id }) - 1;
      const before = ways.at(-1)?.to ?? (placed.length > 1 || ways.length > 0 ? 0 : at);
      if (at !== before) ways.push({ from: before, to: at, label: String(ways.length + 1) });
    }
    this.#places.show(placed, ways);
    this.#path.replaceChildren(el("h2", {}, "Path"), timelineOf(sightings), el("ol", { class: "sightings" }, ...sightings.map((one) => sightingCard(one))));
  }

  #edit(vehicle) {
    const label = text(vehicle.label, { maxLength: 256 });
    const notes = el("textarea", { value: vehicle.notes ?? "", rows: 4, maxLength: 4000 });
    ask({
      title: `Vehicle ${vehicle.vehicle_id}`,
      fields: [field("What people call it", label), field("Notes", notes)],
      action: "Save",
      submit: async () => {
        await send("PATCH", "vehicles/~", { label: textOf(label), notes: textOf(notes) }, this.#parameters);
        await this.show();
      },
    });
  }

  #merge() {
    const other = text("", { required: true, maxLength: 256 });
    ask({
      title: "Merge another vehicle into this one",
      fields: [field("Id of the other vehicle", other), el("p", { class: "hint" }, "Its pictures become this one's, and it is gone. The audit log keeps what it was.")],
      action: "Merge",
      danger: true,
      submit: async () => {
        await send("POST", "vehicles/merge", { collection, into: this.#id, from: [other.value.trim()] });
        await this.show();
      },
    });
  }

  #forget(vehicle) {
    ask({
      title: `Forget ${vehicle.label ?? vehicle.vehicle_id}?`,
      fields: [el("p", {}, "Its pictures stay enrolled, and nobody's confirmation stays with them.")],
      action: "Forget it",
      danger: true,
      submit: async () => {
        await send("DELETE", "vehicles/~", null, this.#parameters);
        location.assign(addressOfVehicle(null));
      },
    });
  }
}

function sightingCard({ camera, first_captured_at: first, last_captured_at: last, crops, best_crop: best, gap_s, distance_m, speed_kmh, implausible }) {
  const way = [
    gap_s === null ? null : `${duration(gap_s)} after the one before`,
    distance_m === null ? null : distanceText(distance_m),
    speed_kmh === null ? null : `${Math.round(speed_kmh)} km/h on the straight line`,
  ].filter(Boolean);
  return el(
    "li",
    { class: "sighting" },
    best.has_image ? cropImage(best.id, { size: THUMBNAIL_PX }) : el("span", { class: "no-preview" }, "No picture is kept"),
    el(
      "div",
      {},
      el("p", {}, el("strong", {}, camera.name ?? camera.camera_id), ` · ${count(crops, "picture")}`),
      el("p", { class: "when" }, ...(first === null ? ["Time unknown"] : bothClocks(first))),
      last === first ? null : el("p", { class: "hint" }, `until ${inLocalTime(last)}`),
      way.length === 0 ? null : el("p", { class: "hint" }, way.join(", ")),
      implausible ? el("p", {}, el("span", { class: "mark bad" }, "implausible"), " Too fast for the distance: a wrong picture, place or clock?") : null,
    ),
  );
}
