// The hits of a watch, newest first; new ones appear as they come.

import { get, ServiceProblem, within } from "../shared/api.js";
import { addressOfSearch } from "../shared/collection.js";
import { button, count, el } from "../shared/dom.js";
import { repeat } from "../shared/live.js";
import { showProblem } from "../shared/messages.js";
import { cropImage } from "../shared/pictures.js";
import { decisionMark, scoreBar, scoreText, vehicleLink, when } from "../shared/sightings.js";
import { inLocalTime } from "../shared/time.js";

const EVERY_MS = 2_000;
// Whoever waits for a vehicle must not take silence for nothing found.
const WITHIN_MS = 8_000;
const PAGE = 50;
const THUMBNAIL_PX = 160;

export class Hits {
  #path;
  #onNew;
  #list = el("ol", { class: "sightings", "aria-label": "Hits, newest first" });
  #live = el("span", { class: "mark muted", "aria-live": "polite" }, "not read yet");
  #news = el("p", { class: "hint", role: "status" });
  #more = button("More", () => this.#showOlder(), { class: "next-page", hidden: true });
  #newest = null;
  #cursor = null;
  #came = 0;
  #readAt = null;
  #state = null;
  #problem = null;
  #doubt = null;
  #loadingOlder = false;

  /** @param {string} path of the watch @param {{onNew: function()}} listeners called when hits came while the page was open */
  constructor(path, { onNew }) {
    this.#path = `${path}/hits`;
    this.#onNew = onNew;
    this.element = el("section", { "aria-labelledby": "hits-title" }, el("h2", { id: "hits-title" }, "Hits ", this.#live), this.#news, this.#list, this.#more);
  }

  /** Show what was found so far, and from then on whatever is found, every other second; and whether the watch looks at all. */
  follow({ state }) {
    const begins = this.#state === null;
    this.#state = state;
    this.#doubt = null;
    if (begins) repeat(() => this.#look(), EVERY_MS);
    else this.#sayHowItIs();
  }

  /** The watch could not be read, so nobody knows whether it looks. */
  doubt(problem) {
    this.#doubt = problem;
    this.#sayHowItIs();
  }

  async #look() {
    // After the page was hidden or the computer asleep, what it said is old.
    if (this.#readAt !== null && Date.now() - this.#readAt > WITHIN_MS + EVERY_MS) this.#say("muted", "looking again");
    try {
      if (this.#newest === null) await this.#loadOlder();
      else await this.#loadNew();
      this.#readAt = Date.now();
      this.#problem = null;
    } catch (error) {
      this.#problem = error;
    }
    this.#sayHowItIs();
  }

  #sayHowItIs() {
    const problem = this.#problem ?? this.#doubt;
    if (problem !== null) this.#say("bad", `not live: ${problem.detail ?? problem.message}`);
    else if (this.#state !== "active") this.#say("warn", `not looking: ${this.#state}`);
    else if (this.#readAt !== null) this.#say("good", "live");
  }

  #say(kind, text) {
    this.#live.className = `mark ${kind}`;
    if (this.#live.textContent !== text) this.#live.textContent = text;
  }

  async #showOlder() {
    if (this.#loadingOlder) return;
    this.#loadingOlder = true;
    this.#more.setAttribute("aria-disabled", "true");
    try {
      await this.#loadOlder();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      showProblem({ ...error, title: error.message, again: () => this.#showOlder() });
    } finally {
      this.#loadingOlder = false;
      this.#more.removeAttribute("aria-disabled");
    }
  }

  async #loadOlder() {
    const page = await get(this.#path, { limit: PAGE, cursor: this.#cursor }, within(WITHIN_MS));
    this.#list.append(...page.items.map((hit) => card(hit, false)));
    this.#newest ??= page.items[0]?.number ?? 0;
    this.#cursor = page.next_cursor;
    this.#more.hidden = this.#cursor === null;
    if (this.#list.children.length === 0) this.#news.textContent = "Nothing was found yet. Hits appear here as they come.";
  }

  async #loadNew() {
    const page = await get(this.#path, { limit: PAGE, after: this.#newest }, within(WITHIN_MS));
    if (page.items.length === 0) return;
    for (const hit of page.items) this.#list.prepend(card(hit, true));
    this.#newest = page.items.at(-1).number;
    this.#came += page.items.length;
    this.#news.textContent = `${count(this.#came, "new hit")} since this page was opened.`;
    this.#onNew();
  }
}

function card({ number, score, decision, found_at: found, crop }, fresh) {
  return el(
    "li",
    { class: fresh ? "sighting fresh" : "sighting" },
    crop.has_image ? cropImage(crop.id, { size: THUMBNAIL_PX, alt: `Picture of hit ${number}` }) : el("span", { class: "no-preview" }, "No picture is kept"),
    el(
      "div",
      {},
      el("p", {}, el("strong", {}, crop.camera_id), crop.vehicle_id === null ? null : " · ", crop.vehicle_id === null ? null : vehicleLink(crop)),
      el("p", { class: "score" }, scoreBar(score), el("span", { class: "number" }, scoreText(score))),
      decisionMark({ decision, probability: null }),
      when(crop.captured_at),
      el("p", { class: "hint" }, `Hit ${number}, found ${inLocalTime(found)}`),
      el("p", {}, el("a", { href: addressOfSearch(crop.id) }, "Search by it")),
    ),
  );
}
