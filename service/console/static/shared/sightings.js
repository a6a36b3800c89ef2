// What is said of a crop that was found: score, decision, vehicle and time.

import { ROOT } from "./api.js";
import { collection } from "./collection.js";
import { el } from "./dom.js";
import { inLocalTime, inUtc } from "./time.js";

export const scoreText = (score) => score.toFixed(3).replace("-", "−");

export function scoreBar(score) {
  const fill = el("span", { class: "fill" });
  fill.style.width = `${Math.min(1, Math.max(0, score)) * 100}%`;
  return el("span", { class: "bar", "aria-hidden": "true" }, fill);
}

/** The mark and the words of each decision. */
export const DECISIONS = { match: ["good", "match"], possible: ["warn", "possible match"], none: ["muted", "no match"] };

/** A crop's vehicle, as a way to its page; whether anybody has confirmed it is said. */
export function vehicleLink({ vehicle_id: id, vehicle_confirmed: confirmed }) {
  const address = new URL("console/vehicles", ROOT);
  address.search = new URLSearchParams({ collection, vehicle: id }).toString();
  const title = confirmed ? "Confirmed: see where it was seen" : "As claimed at enrolment: see where it was seen";
  return el("a", { href: address.href, title }, confirmed ? `${id} ✓` : id);
}

/** A probability in whole percent; never none or all, as no calibration can know that. */
function percent(probability) {
  const rounded = Math.round(100 * probability);
  if (rounded > 99) return "over 99 %";
  return rounded < 1 ? "under 1 %" : `${rounded} %`;
}

/** What the collection's calibration makes of a hit; nothing where it has none. */
export function decisionMark({ decision, probability }) {
  if (decision === null) return null;
  const [kind, text] = DECISIONS[decision];
  const share = probability === null ? "" : ` · ${percent(probability)} of such pairs are one vehicle`;
  return el("p", { class: "decision" }, el("span", { class: `mark ${kind}` }, text), el("span", { class: "share" }, share));
}

/** Both clocks of a capture time, or that it is unknown. */
export function when(iso) {
  if (iso === null) return el("p", { class: "when unknown" }, "Time unknown");
  return el("p", { class: "when" }, el("time", { dateTime: iso }, inLocalTime(iso)), el("span", { class: "utc" }, inUtc(iso)));
}
