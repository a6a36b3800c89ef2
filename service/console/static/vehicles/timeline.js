// A vehicle's sightings on a time axis, a row for each camera.

import { el, svg } from "../shared/dom.js";
import { inLocalTime } from "../shared/time.js";

const WIDTH = 900;
const LEFT = 150;
const RIGHT = 20;
const ROW = 30;
const TOP = 14;
const NAME_AT_MOST = 20;

const short = (name) => (name.length > NAME_AT_MOST ? `${name.slice(0, NAME_AT_MOST - 1)}…` : name);

/** Whether no person has confirmed any picture of a sighting. */
export const isClaim = ({ confirmed_crops: confirmed }) => confirmed === 0;

/** The plot of sightings whose time is known. */
export function timelineOf(timed) {
  if (timed.length === 0) return el("p", { class: "hint" }, "No time of capture is known.");
  const rows = [...new Map(timed.map(({ camera }) => [camera.camera_id, camera.name ?? camera.camera_id]))];
  const [start, end] = [Date.parse(timed[0].first_captured_at), Math.max(...timed.map(({ last_captured_at: last }) => Date.parse(last)))];
  const x = (time) => LEFT + ((Date.parse(time) - start) / Math.max(1, end - start)) * (WIDTH - LEFT - RIGHT);
  const y = (camera) => TOP + rows.findIndex(([id]) => id === camera) * ROW + ROW / 2;
  const height = TOP + rows.length * ROW + 26;
  const plot = svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": `${timed.length} sightings from ${inLocalTime(timed[0].first_captured_at)} on, by ${rows.length} cameras` },
    ...rows.map(([id, name]) => svg("g", {}, svg("text", { x: 8, y: y(id) + 4, class: "row-name" }, svg("title", {}, name), short(name)), svg("path", { d: `M${LEFT} ${y(id)} H${WIDTH - RIGHT}`, class: "row-line" }))),
    ...timed.slice(1).map((one, before) => step(timed[before], one, x, y)),
    ...timed.map((one) => mark(one, x, y)),
    svg("text", { x: LEFT, y: height - 6, class: "axis-text" }, inLocalTime(timed[0].first_captured_at)),
    svg("text", { x: WIDTH - RIGHT, y: height - 6, class: "axis-text end" }, inLocalTime(new Date(end).toISOString())),
  );
  return el("figure", { class: "vehicle-timeline" }, plot);
}

/** The line from one sighting to the next. */
function step(one, next, x, y) {
  const line = `M${x(one.last_captured_at)} ${y(one.camera.camera_id)} L${x(next.first_captured_at)} ${y(next.camera.camera_id)}`;
  return svg("path", { d: line, class: isClaim(one) || isClaim(next) ? "path-line unsure" : "path-line" });
}

function mark(sighting, x, y) {
  const { camera, first_captured_at: first, last_captured_at: last, implausible } = sighting;
  const width = Math.max(8, x(last) - x(first));
  const text = `${camera.name ?? camera.camera_id}, ${inLocalTime(first)}${isClaim(sighting) ? ", only claimed" : ""}`;
  const kind = ["seen", implausible && "implausible", isClaim(sighting) && "unsure"].filter(Boolean).join(" ");
  return svg("rect", { x: x(first) - 4, y: y(camera.camera_id) - 7, width: width + 4, height: 14, rx: 4, class: kind }, svg("title", {}, text));
}
