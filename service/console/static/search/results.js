// The answer: how it was found, and the ranked pictures.

import { button, byId, count, el, integer } from "../shared/dom.js";
import { cropImage } from "../shared/pictures.js";
import { DECISIONS, decisionMark, scoreBar, scoreText, vehicleLink, when } from "../shared/sightings.js";
import { inLocalTime } from "../shared/time.js";

const THUMBNAIL_PX = 320;
const RERANKED = { k_reciprocal: "ordered anew by common neighbours", query_expansion: "ordered anew by the query with its nearest" };

const REMEMBERED = "Remembered: searches by this picture leave it out from now on, with its track";
const NOTED = "Noted with its score. The query's picture is kept nowhere, so searches by it show the result again";

const filtersOf = ({ cameras, from, to, minScore }) => cameras.length > 0 || from !== null || to !== null || minScore !== null;

export class Results {
  #listeners;

  /** @param {{onPick: function(Object), onReject: function(Object), onConfirm: function(Object, Node), onJudge: function(Object, function()), onDetail: function(number), onClearFilters: function()}} listeners */
  constructor(listeners) {
    this.#listeners = listeners;
    byId("hits").addEventListener("keydown", (event) => this.#move(event));
  }

  clear() {
    byId("hits").replaceChildren();
    byId("summary").replaceChildren();
    this.outdated = false;
  }

  /** Whether the form asks for something else than what is shown answers. */
  set outdated(on) {
    byId("outdated").hidden = !on;
  }

  set busy(on) {
    byId("content").setAttribute("aria-busy", String(on));
    byId("content").classList.toggle("busy", on);
  }

  show(answer, query) {
    const { hits, search } = answer;
    const stored = query.files.every(({ crop }) => crop);
    byId("hits").replaceChildren(...hits.map((hit, at) => this.#card(hit, at, stored)));
    const parts = [
      ...(hits.length > 0 ? this.#found(hits, search, query) : this.#none(answer, query)),
      el("p", { class: "conditions" }, conditions(query)),
      decided(answer),
      ...complaints(answer.query),
      hits.length > 0 ? null : this.#clearFilters(query),
      howFound(search, answer.query),
    ];
    byId("summary").replaceChildren(...parts.filter(Boolean));
  }

  focusFirst() {
    byId("hits").querySelector(".face")?.focus();
  }

  #found(hits, search, query) {
    const noun = { track: "track", vehicle: "vehicle", crop: "picture" }[query.groupBy];
    const anew = query.rerank !== "none" || query.normalization;
    const sentences = [
      "A score is the likeness of pictures, not proof of identity: compare before you act.",
      anew ? "The results are ordered by another number, which stands below it." : null,
      search.exhausted ? "There are no more." : null,
    ];
    return [
      el("h2", {}, `${count(hits.length, noun)}, ${anew ? "ordered anew" : "most similar first"}`),
      el("p", { class: "caution" }, sentences.filter(Boolean).join(" ")),
    ];
  }

  #none({ search, decision }, query) {
    // No match is a decision; where there is none, nothing says that the vehicle is not there.
    const heading = el("h2", {}, decision === null ? "Nothing is shown" : "No match");
    const compared = `${count(search.candidates, "picture was", "pictures were")} compared`;
    if (search.candidates > 0 && query.minScore !== null) {
      return [heading, el("p", {}, `${compared}; none reaches the lowest score of ${scoreText(query.minScore)}.`)];
    }
    if (search.candidates > 0) return [heading, el("p", {}, `${compared}.`)];
    if (filtersOf(query) || query.camera !== "") return [heading, el("p", {}, "Nothing was compared: no enrolled picture is left by what is set.")];
    return [heading, el("p", {}, "The collection is empty: there is no picture to compare with.")];
  }

  #clearFilters(query) {
    if (!filtersOf(query)) return null;
    const button = el("button", { type: "button" }, "Search without filters");
    button.addEventListener("click", this.#listeners.onClearFilters);
    return button;
  }

  #card(hit, at, stored) {
    const { crop } = hit;
    const image = cropImage(crop.id, { size: THUMBNAIL_PX });
    const face = el(
      "button",
      { type: "button", class: "face", "aria-label": `Search by rank ${hit.rank}: ${spoken(hit)}`, title: "Search by this picture" },
      image,
      el("span", { class: "rank" }, integer(hit.rank)),
    );
    face.addEventListener("click", () => this.#listeners.onPick(hit));
    const more = el("button", { type: "button", class: "more", "aria-label": `Details of rank ${hit.rank}` }, "Details");
    more.addEventListener("click", () => this.#listeners.onDetail(at));
    const card = el(
      "li",
      { class: "hit" },
      face,
      el("p", { class: "score" }, scoreBar(hit.score), el("span", { class: "number" }, scoreText(hit.score))),
      hit.rerank_score === null ? null : el("p", { class: "order" }, "Ordered by ", el("span", { class: "number" }, scoreText(hit.rerank_score))),
      decisionMark(hit),
      el("p", { class: "where" }, el("span", { class: "camera" }, crop.camera_id), el("span", { class: "vehicle" }, crop.vehicle_id === null ? null : vehicleLink(crop))),
      when(crop.captured_at),
      el("p", { class: "foot" }, el("span", {}, hit.matched_crops > 1 ? `${integer(hit.matched_crops)} pictures` : ""), more),
    );
    card.append(this.#words(hit, card, stored));
    return card;
  }

  /** What a person may say of a result; where it was said that it shows another vehicle, that, and the way back. */
  #words(hit, card, stored) {
    const said = (text, label, title, action) => button(text, action, { class: "more", "aria-label": label, title });
    const judge = ({ currentTarget }) => {
      currentTarget.disabled = true;
      this.#listeners.onJudge(hit, () => {
        card.querySelector(".words").replaceWith(this.#words(hit, card, stored));
        card.querySelector(".judge").focus();
      });
    };
    const { rank } = hit;
    card.classList.toggle("judged", Boolean(hit.judgement));
    if (hit.judgement) {
      const back = said("Take back", `Take back that rank ${rank} is another vehicle`, "Forgets it", judge);
      back.classList.add("judge");
      return el("p", { class: "foot words" }, el("span", {}, stored ? "Another vehicle: left out from now on" : "Another vehicle: noted"), back);
    }
    const same = said("Same vehicle", `Rank ${rank} shows the vehicle`, "Confirms it, after a question", () => this.#listeners.onConfirm(hit, card));
    const other = said("Another vehicle", `Rank ${rank} is another vehicle`, stored ? REMEMBERED : NOTED, judge);
    other.classList.add("judge");
    const without = said("Not this one", `Leave rank ${rank} out of this search`, "Leaves it out of this search only, with its track", () => this.#listeners.onReject(hit));
    return el("p", { class: "foot words" }, same, other, stored ? without : null);
  }

  #move(event) {
    const faces = [...byId("hits").querySelectorAll(".face")];
    const at = faces.indexOf(event.target.closest(".hit")?.querySelector(".face"));
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.toLowerCase() === "d") {
      event.preventDefault();
      this.#listeners.onDetail(at);
      return;
    }
    const columns = faces.filter((face) => face.offsetTop === faces[0].offsetTop).length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -at, End: faces.length - 1 - at };
    if (!(event.key in steps)) return;
    event.preventDefault();
    faces[Math.min(faces.length - 1, Math.max(0, at + steps[event.key]))].focus();
  }
}

/** The decision on the whole answer, or why there is none. */
function decided({ decision, explanation }) {
  const mark = decision === null ? null : el("span", { class: `mark ${DECISIONS[decision][0]}` }, DECISIONS[decision][1]);
  return el("p", { class: "decided" }, mark, " ", explanation);
}

/** What is wrong with the query's pictures. */
function complaints({ quality }) {
  return quality.flatMap(({ problems }, at) =>
    problems.map(({ detail }) => el("p", { class: "caution" }, quality.length > 1 ? `Picture ${at + 1}: ${detail}` : detail)),
  );
}

function spoken({ score, crop }) {
  const parts = [`score ${scoreText(score)}`, `camera ${crop.camera_id}`];
  if (crop.captured_at !== null) parts.push(inLocalTime(crop.captured_at));
  if (crop.vehicle_id !== null) parts.push(`vehicle ${crop.vehicle_id}`);
  return parts.join(", ");
}

/** What was set for a query, in one sentence. */
function conditions({ files, camera, cameras, from, to, rejected, minScore, rerank, normalization }) {
  const list = [];
  if (cameras.length > 0) list.push(`camera ${cameras.join(", ")}`);
  if (camera !== "") list.push(`not camera ${camera}, which took the query`);
  if (from !== null) list.push(`from ${inLocalTime(from)}`);
  if (to !== null) list.push(`before ${inLocalTime(to)}`);
  if (rejected.length > 0) list.push(`${count(rejected.length, "picture")} left out`);
  if (files.every(({ crop }) => crop)) list.push("without what was said to be another vehicle");
  if (minScore !== null) list.push(`lowest score ${scoreText(minScore)}`);
  if (rerank !== "none") list.push(RERANKED[rerank]);
  if (normalization) list.push("the cameras' own look evened out");
  return list.length === 0 ? "Conditions: none." : `Conditions: ${list.join("; ")}.`;
}

function howFound({ mode, candidates, index_sequence, took_ms }, { model_id }) {
  const took = (name) => `${name} ${took_ms[name].toFixed(1)} ms`;
  const stages = ["decode", "embed", "search"].filter((name) => Number.isFinite(took_ms[name]));
  return el(
    "p",
    { class: "how" },
    el("span", {}, `${mode === "exact" ? "Exact search" : "Approximate search"} of ${count(candidates, "candidate")}`),
    el("span", { title: stages.map(took).join(", ") }, `${took_ms.total.toFixed(0)} ms`),
    el("span", {}, `Model ${model_id}`),
    el("span", {}, `Index at change ${integer(index_sequence)}`),
  );
}
