// One vehicle: what is said of it, its path over the cameras, and its pictures.

import { all, get, send, ServiceProblem } from "../shared/api.js";
import { addressOfNewWatch, collection } from "../shared/collection.js";
import { button, count, el, integer, rememberFocus } from "../shared/dom.js";
import { ask, askAbout, changed, field, text, textOf } from "../shared/forms.js";
import { clearMessages, showProblem } from "../shared/messages.js";
import { cropImage } from "../shared/pictures.js";
import { Places } from "../shared/places.js";
import { bothClocks, duration, inLocalTime } from "../shared/time.js";
import { CropPicker } from "./crops.js";
import { isClaim, timelineOf } from "./timeline.js";

const THUMBNAIL_PX = 160;
const MOST_WATCHED = 16;
const MESSAGES = "vehicle";

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
  #head = el("div", { class: "vehicle-head", data: { part: "vehicle" } });
  #path = el("section", { "aria-label": "Path over the cameras" });
  #places = new Places();
  #crops;
  #known = false;

  constructor(id) {
    this.#id = id;
    this.#crops = new CropPicker(id, { onChange: () => this.show(), parameters: this.#parameters });
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
      this.#known = true;
      clearMessages(MESSAGES);
      this.#showHead(vehicle, sightings);
      this.#showPath(sightings);
      await this.#crops.show();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      // A vehicle that was only claimed is gone with its last picture.
      if (error.status === 404 && this.#known) location.assign(addressOfVehicle(null));
      else showProblem({ ...error, title: error.message, again: () => this.show() }, MESSAGES);
    }
  }

  #showHead(vehicle, sightings) {
    const said = Object.entries(vehicle.attributes).map(([name, value]) => `${name}: ${value}`).join(", ");
    const watch = el("a", { href: addressOfNewWatch(showing(sightings).slice(0, MOST_WATCHED)) }, "Watch for it");
    const actions = vehicle.confirmed
      ? [watch, button("Edit", () => this.#edit()), button("Merge another into it", () => this.#merge()), button("Forget it", () => this.#forget(vehicle))]
      : [];
    const putBack = rememberFocus();
    this.#head.replaceChildren(
      el("h2", {}, vehicle.label ?? vehicle.vehicle_id, " ", el("span", { class: `mark ${vehicle.confirmed ? "good" : "muted"}` }, vehicle.confirmed ? "confirmed" : "only claimed")),
      el("p", { class: "hint" }, [vehicle.vehicle_id, said].filter(Boolean).join(" · ")),
      vehicle.notes === null ? "" : el("p", {}, vehicle.notes),
      el("p", {}, `${seenText(sightings)}; ${count(vehicle.crops, "confirmed picture")}, ${integer(vehicle.claimed_crops)} only claimed`),
      el("div", { class: "tools" }, ...actions),
    );
    putBack();
  }

  #showPath(sightings) {
    const placed = [];
    const ways = [];
    let before = null;
    for (const sighting of sightings.filter(({ camera }) => camera.latitude !== null)) {
      const { camera } = sighting;
      let at = placed.findIndex(({ camera_id }) => camera_id === camera.camera_id);
      if (at < 0) at = placed.push({ ...camera, label: camera.name ?? camera.camera_id, unsure: true }) - 1;
      placed[at].unsure &&= isClaim(sighting);
      // Nobody knows when that was, so it is no step from anywhere to anywhere.
      if (sighting.first_captured_at === null) continue;
      const step = { at, unsure: isClaim(sighting) };
      if (before !== null && before.at !== at) ways.push({ from: before.at, to: at, label: String(ways.length + 1), unsure: before.unsure || step.unsure });
      before = step;
    }
    this.#places.show(placed, ways);
    const timed = sightings.filter(({ first_captured_at: first }) => first !== null);
    const untimed = sightings.filter(({ first_captured_at: first }) => first === null);
    this.#path.replaceChildren(
      el("h2", {}, "Path"),
      timelineOf(timed),
      sightings.some(isClaim) ? el("p", { class: "hint" }, "Hollow and dashed: only claimed at enrolment. Nobody has confirmed that it was this vehicle.") : "",
      el("ol", { class: "sightings", "aria-label": "Sightings in time order" }, ...timed.map((one) => sightingCard(one))),
      ...(untimed.length === 0 ? [] : [el("h2", {}, "Seen at an unknown time"), el("ul", { class: "sightings", "aria-label": "Sightings without a time" }, ...untimed.map((one) => sightingCard(one)))]),
    );
  }

  #edit() {
    return askAbout("vehicles/~", this.#parameters, (vehicle) => this.#askForChanges(vehicle));
  }

  #askForChanges(vehicle) {
    const label = text(vehicle.label, { maxLength: 256 });
    const notes = el("textarea", { value: vehicle.notes ?? "", rows: 4, maxLength: 4000 });
    const read = () => ({ label: textOf(label), notes: textOf(notes) });
    const before = read();
    ask({
      title: `Vehicle ${vehicle.vehicle_id}`,
      fields: [field("What people call it", label), field("Notes", notes)],
      action: "Save",
      submit: async () => {
        const patch = changed(before, read());
        if (Object.keys(patch).length > 0) await send("PATCH", "vehicles/~", patch, this.#parameters);
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

/** Pictures to look for a vehicle by: those that a person confirmed, where there are any. */
function showing(sightings) {
  const best = sightings.map(({ best_crop: crop }) => crop);
  const confirmed = best.filter(({ vehicle_confirmed }) => vehicle_confirmed);
  return (confirmed.length > 0 ? confirmed : best).map(({ id }) => id);
}

/** How often and by how many cameras it was seen, the claims among it counted apart. */
function seenText(sightings) {
  const cameras = new Set(sightings.map(({ camera }) => camera.camera_id)).size;
  const claims = sightings.filter(isClaim).length;
  const claimed = claims === 0 ? "" : `, ${integer(claims)} of them only claimed,`;
  return `${count(sightings.length, "sighting")}${claimed} by ${count(cameras, "camera")}`;
}

function picturesText({ crops, confirmed_crops: confirmed }) {
  const claimed = crops - confirmed;
  return count(crops, "picture") + (claimed === 0 || confirmed === 0 ? "" : `, ${integer(claimed)} only claimed`);
}

/** How it came from the sighting before; nothing where it is not known when that was. */
function wayText({ first_captured_at: first, gap_s: gap, distance_m: distance, speed_kmh: speed }) {
  if (first === null) return "";
  return [
    gap === null ? null : `${duration(gap)} after the one before`,
    distance === null ? null : distanceText(distance),
    speed === null ? null : `${Math.round(speed)} km/h on the straight line`,
  ].filter(Boolean).join(", ");
}

function sightingCard(sighting) {
  const { camera, first_captured_at: first, last_captured_at: last, best_crop: best, implausible } = sighting;
  const way = wayText(sighting);
  return el(
    "li",
    { class: isClaim(sighting) ? "sighting unsure" : "sighting" },
    best.has_image ? cropImage(best.id, { size: THUMBNAIL_PX }) : el("span", { class: "no-preview" }, "No picture is kept"),
    el(
      "div",
      {},
      el("p", {}, el("strong", {}, camera.name ?? camera.camera_id), ` · ${picturesText(sighting)}`),
      isClaim(sighting) ? el("p", {}, el("span", { class: "mark muted" }, "only claimed")) : null,
      el("p", { class: "when" }, ...(first === null ? ["Time unknown"] : bothClocks(first))),
      last === first ? null : el("p", { class: "hint" }, `until ${inLocalTime(last)}`),
      way === "" ? null : el("p", { class: "hint" }, way),
      implausible ? el("p", {}, el("span", { class: "mark bad" }, "implausible"), " Too fast for the distance: a wrong picture, place or clock?") : null,
    ),
  );
}
