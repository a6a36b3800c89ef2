// A plot of places: north is up, east is right, and a bar says how far things are apart. No map is fetched from anywhere.

import { el, svg } from "./dom.js";

const WIDTH = 900;
const HEIGHT = 380;
const MARGIN = 46;
const EARTH_RADIUS_M = 6_371_000;
const ROUND = [1, 2, 5];

const radians = (degrees) => (degrees * Math.PI) / 180;

/** Metres east and north of a place, on a plane that touches the earth there (equirectangular; a city fits well). */
function onPlane({ latitude, longitude }, origin) {
  let turn = longitude - origin.longitude;
  if (turn > 180) turn -= 360;
  if (turn < -180) turn += 360;
  return {
    east: EARTH_RADIUS_M * radians(turn) * Math.cos(radians(origin.latitude)),
    north: EARTH_RADIUS_M * radians(latitude - origin.latitude),
  };
}

/** A round length of about a fifth of the plot. */
function roundLength(metres) {
  const power = 10 ** Math.floor(Math.log10(metres));
  return power * (ROUND.findLast((step) => step * power <= metres) ?? 1);
}

const lengthText = (metres) => (metres >= 1000 ? `${metres / 1000} km` : `${metres} m`);

export class Places {
  element = el("figure", { class: "places", hidden: true });

  /**
   * @param {{latitude: number, longitude: number, label: string, unsure?: boolean}[]} places those that are unsure are drawn hollow
   * @param {{from: number, to: number, label: string, unsure?: boolean}[]} [ways] between places, by their position, in order; unsure ones are dashed
   */
  show(places, ways = []) {
    this.element.hidden = places.length === 0;
    if (places.length === 0) return;
    const spots = places.map((one) => onPlane(one, places[0]));
    const [west, east] = [Math.min(...spots.map((one) => one.east)), Math.max(...spots.map((one) => one.east))];
    const [south, north] = [Math.min(...spots.map((one) => one.north)), Math.max(...spots.map((one) => one.north))];
    const scale = Math.min((WIDTH - 2 * MARGIN) / Math.max(east - west, 1), (HEIGHT - 2 * MARGIN) / Math.max(north - south, 1), 4);
    const at = spots.map((one) => ({
      x: WIDTH / 2 + (one.east - (west + east) / 2) * scale,
      y: HEIGHT / 2 - (one.north - (south + north) / 2) * scale,
    }));
    const bar = roundLength(Math.max(1, (WIDTH / 5) / scale));
    const plot = svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Places of ${places.length} cameras, north up` },
      svg("defs", {}, svg("marker", { id: "arrow", viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" }, svg("path", { d: "M0 0 L10 5 L0 10 z", class: "arrow" }))),
      ...ways.map((way) => this.#way(at, way)),
      ...places.map((one, number) => this.#spot(at[number], one)),
      svg("path", { d: `M${MARGIN} ${HEIGHT - 16} h${bar * scale}`, class: "scale" }),
      svg("text", { x: MARGIN, y: HEIGHT - 22, class: "scale-text" }, lengthText(bar)),
    );
    this.element.replaceChildren(plot, el("figcaption", { class: "hint" }, "North is up. Straight lines, not roads."));
  }

  #spot({ x, y }, { label, unsure }) {
    return svg("g", {}, svg("circle", { cx: x, cy: y, r: 6, class: unsure ? "spot unsure" : "spot" }), svg("text", { x: x + 10, y: y + 4, class: "spot-text" }, label));
  }

  #way(at, { from, to, label, unsure }) {
    const [start, end] = [at[from], at[to]];
    // A little curved, so that the way there and the way back are two lines.
    const middle = { x: (start.x + end.x) / 2 - (end.y - start.y) * 0.12, y: (start.y + end.y) / 2 + (end.x - start.x) * 0.12 };
    return svg(
      "g",
      {},
      svg("path", { d: `M${start.x} ${start.y} Q${middle.x} ${middle.y} ${end.x} ${end.y}`, class: unsure ? "way unsure" : "way", "marker-end": "url(#arrow)" }),
      svg("text", { x: (start.x + end.x + 2 * middle.x) / 4, y: (start.y + end.y + 2 * middle.y) / 4, class: "way-text" }, label),
    );
  }
}
