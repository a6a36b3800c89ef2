// One result, large, with everything known about it.

import { addressOfNewWatch } from "../shared/collection.js";
import { byId, el, integer } from "../shared/dom.js";
import { cropImage } from "../shared/pictures.js";
import { decisionMark, scoreBar, scoreText, when } from "../shared/sightings.js";
import { inLocalTime, inUtc } from "../shared/time.js";

export class Detail {
  #dialog = byId("detail");
  #hits = [];
  #at = 0;
  #onPick;
  #opener = null;

  /** @param {{onPick: function(Object)}} listeners */
  constructor({ onPick }) {
    this.#onPick = onPick;
    this.#dialog.addEventListener("click", (event) => {
      // The backdrop belongs to the dialog element; the panel's own content never is the target itself.
      if (event.target === this.#dialog) this.#dialog.close();
    });
    this.#dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") this.#step(-1);
      else if (event.key === "ArrowRight") this.#step(1);
    });
    this.#dialog.addEventListener("close", () => this.#opener?.focus());
  }

  open(hits, at) {
    this.#hits = hits;
    this.#at = at;
    this.#opener = document.activeElement;
    this.#render();
    this.#dialog.showModal();
    this.#dialog.querySelector(".close").focus();
  }

  close() {
    this.#opener = null;
    this.#dialog.close();
  }

  #step(by) {
    const next = this.#at + by;
    if (next < 0 || next >= this.#hits.length) return;
    this.#at = next;
    this.#render();
    this.#dialog.querySelector(by < 0 ? ".previous" : ".next").focus();
  }

  #render() {
    const hit = this.#hits[this.#at];
    const button = (text, kind, action, disabled = false) => {
      const made = el("button", { type: "button", class: kind, "aria-disabled": String(disabled) }, text);
      made.addEventListener("click", action);
      return made;
    };
    this.#dialog.replaceChildren(
      el(
        "div",
        { class: "panel" },
        el(
          "header",
          {},
          el("h2", { id: "detail-title" }, `Rank ${integer(hit.rank)} of ${integer(this.#hits.length)}`),
          button("Previous", "previous", () => this.#step(-1), this.#at === 0),
          button("Next", "next", () => this.#step(1), this.#at === this.#hits.length - 1),
          button("Close", "close", () => this.#dialog.close()),
        ),
        cropImage(hit.crop.id, { alt: `Picture of rank ${hit.rank}`, class: "large" }),
        facts(hit),
        el("div", { class: "actions" }, button("Search by this picture", "primary", () => this.#onPick(hit)), el("a", { href: addressOfNewWatch([hit.crop.id]) }, "Watch for it")),
      ),
    );
  }
}

function facts(hit) {
  const { score, rerank_score, crop, track, matched_crops } = hit;
  const score_row = el("span", { class: "score" }, scoreBar(score), el("span", { class: "number" }, scoreText(score)));
  const rows = [
    ["Score", score_row],
    ["Ordered by", rerank_score === null ? null : scoreText(rerank_score)],
    ["Decision", decisionMark(hit)],
    ["Camera", crop.camera_id],
    ["Captured", when(crop.captured_at)],
    ["Vehicle id", crop.vehicle_id === null ? "unknown" : `${crop.vehicle_id}${crop.vehicle_confirmed ? ", confirmed" : ", as claimed"}`],
    ["Track", track === null ? null : [track.session_id, track.track_id].filter((part) => part !== null).join(" / ")],
    ["Pictures that matched", integer(matched_crops)],
    ["Attributes", attributes(crop.attributes)],
    ["Box in the frame", crop.bbox === null ? null : crop.bbox.map((side) => integer(side)).join(", ")],
    ["External id", crop.external_id],
    ["Collection", crop.collection],
    ["Enrolled", el("span", { title: inUtc(crop.created_at) }, inLocalTime(crop.created_at))],
    ["Id", el("code", {}, crop.id)],
  ];
  const known = rows.filter(([, value]) => value !== null && value !== undefined);
  return el("dl", {}, ...known.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function attributes(values) {
  const entries = Object.entries(values ?? {});
  if (entries.length === 0) return null;
  return el("ul", {}, ...entries.map(([name, value]) => el("li", {}, `${name}: ${value}`)));
}
