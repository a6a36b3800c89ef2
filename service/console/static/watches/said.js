// What is said of a watch, in its list and on its own page.

import { collection } from "../shared/collection.js";
import { el } from "../shared/dom.js";
import { DECISIONS, scoreText } from "../shared/sightings.js";
import { inLocalTime } from "../shared/time.js";

const STATES = { active: "good", paused: "muted", expired: "muted", ended: "muted", stale: "warn", uncalibrated: "warn", forbidden: "bad" };

/** The page of a watch; of all of them for null. */
export function addressOfWatch(id) {
  const address = new URL(location.href);
  address.search = new URLSearchParams(id === null ? { collection } : { collection, watch: id }).toString();
  return address.href;
}

export const stateMark = ({ state }) => el("span", { class: `mark ${STATES[state]}` }, state);

/** From where on a crop is a hit. */
export const thresholdText = ({ min_score: score, decision }) => (decision === null ? `score ${scoreText(score)}` : DECISIONS[decision][1]);

const LISTS = {
  camera_ids: (names) => `cameras ${names.join(", ")}`,
  exclude_camera_ids: (names) => `not cameras ${names.join(", ")}`,
  vehicle_ids: (names) => `vehicles ${names.join(", ")}`,
  exclude_vehicle_ids: (names) => `not vehicles ${names.join(", ")}`,
  tracks: (tracks) => `tracks ${tracks.map(trackText).join(", ")}`,
  exclude_tracks: (tracks) => `not tracks ${tracks.map(trackText).join(", ")}`,
};

const trackText = ({ session_id: session, track_id: track }) => [session, track].filter((part) => part !== null && part !== undefined).join("/");

/** What a crop must be to be looked at, one phrase each. */
export function conditions(watch) {
  const said = Object.entries(LISTS).flatMap(([name, phrase]) => (watch[name] === null ? [] : [phrase(watch[name])]));
  if (watch.from !== null) said.push(`captured from ${inLocalTime(watch.from)}`);
  if (watch.to !== null) said.push(`captured before ${inLocalTime(watch.to)}`);
  for (const [name, value] of Object.entries(watch.attributes)) said.push(`${name}: ${value}`);
  return said;
}
