// The console: a query form on the left, its answer on the right, and the way back between queries.

import { fetchImage, get, listCameras, ROOT, search, ServiceProblem, timeline } from "../shared/api.js";
import { collection } from "../shared/collection.js";
import { byId, el } from "../shared/dom.js";
import { clearMessages, showProblem } from "../shared/messages.js";
import "../shared/shell.js";
import { vehicleLink } from "../shared/sightings.js";
import { TimeBrush } from "./brush.js";
import { confirmHit } from "./confirm.js";
import { Detail } from "./detail.js";
import { judgeAnother, takeBack } from "./judge.js";
import { picture, QueryForm } from "./query.js";
import { Results } from "./results.js";
import { Trail } from "./trail.js";

const BUCKETS = 60;
/** Whose messages they are that tell of the cameras and times, which are read again and again. */
const GALLERY = "gallery";

let running = null;
let reading = null;
const brush = new TimeBrush();

const form = new QueryForm({
  onSearch: run,
  onChange: markOutdated,
  onProblem: (title, detail) => showProblem({ title, detail }),
});
const results = new Results({
  onPick: searchBy,
  onReject: searchWithout,
  onConfirm: confirm,
  onJudge: judge,
  onDetail: (at) => detail.open(trail.current.answer.hits, at),
  onClearFilters: () => {
    form.clearFilters();
    run();
  },
});
const detail = new Detail({
  onPick: (hit) => {
    detail.close();
    searchBy(hit);
  },
});
const trail = new Trail((step) => {
  stop();
  clearMessages();
  if (step === null) {
    results.clear();
    renderStart();
    return;
  }
  form.write(step.query);
  showAnswer(step);
  markOutdated();
});

/** Only one search at a time: a new one ends the one before. */
function stop() {
  running?.abort();
  running = null;
  setBusy(false);
}

function setBusy(on) {
  results.busy = on;
  byId("search").classList.toggle("busy", on);
}

/** What to tell of an answer that is none of a search, or of a fault of this page. */
function unforeseen(error) {
  console.error(error);
  return { title: "The answer cannot be shown", detail: "It is not what was asked for. Something between this page and the service may have answered in its place." };
}

/** Say on an answer that the form asks for something else by now. */
function markOutdated() {
  results.outdated = trail.current !== null && !form.asks(trail.current.query);
}

function clearAnswer() {
  results.clear();
  trail.leave();
}

/** Run work that may fail; true where it was done and not overtaken. Whatever it failed by, the answer of another query does not stay. */
async function attempt(work, again) {
  stop();
  clearMessages();
  const controller = new AbortController();
  running = controller;
  setBusy(true);
  try {
    await work(controller.signal);
    return true;
  } catch (error) {
    if (controller.signal.aborted) return false;
    clearAnswer();
    byId("start").replaceChildren();
    const problem = error instanceof ServiceProblem ? error : unforeseen(error);
    const temporary = problem.status === undefined || problem.status === 429 || problem.status === 503;
    showProblem({ ...problem, again: temporary ? again : undefined });
    return false;
  } finally {
    if (running === controller) stop();
  }
}

async function run() {
  const { query, problem, at } = form.read();
  if (problem !== undefined) {
    showProblem({ title: "Nothing was searched", detail: problem });
    at.closest("details")?.setAttribute("open", "");
    at.focus();
    return false;
  }
  return attempt(
    async (signal) => {
      const answer = await search(query, signal);
      const step = { query, answer, label: query.files.length > 1 ? `${query.files.length} pictures` : query.files[0].name };
      showAnswer(step);
      trail.push(step);
      // The form may have been changed while the search ran.
      markOutdated();
    },
    run,
  );
}

/** Search by an enrolled crop: by its stored vector, without its own camera. Its picture is fetched to be shown. */
async function searchBy({ crop }) {
  let blob = null;
  const fetched = await attempt(
    async (signal) => {
      if (crop.has_image) blob = await fetchImage(crop.id, { signal });
    },
    () => searchBy({ crop }),
  );
  if (!fetched) return;
  form.replacePictures([picture(blob, `camera ${crop.camera_id}`, crop.id)], crop.camera_id);
  if (await run()) results.focusFirst();
}

/** Search again without a crop, this time only. */
async function searchWithout({ crop }) {
  form.reject(crop.id);
  if (await run()) results.focusFirst();
}

/** Say that a result shows the vehicle; the answer stays as it is, with a word on the card. */
function confirm(hit, card) {
  confirmHit(hit, trail.current.query.files, (id) => {
    hit.crop.vehicle_id = id;
    hit.crop.vehicle_confirmed = true;
    card.querySelector(".vehicle").replaceChildren(vehicleLink(hit.crop));
  });
}

/** Say that a result shows another vehicle, or take that back; the answer stays as it is, with the word on the card. */
async function judge(hit, redraw) {
  const { query, answer } = trail.current;
  try {
    if (hit.judgement) {
      await takeBack(hit.judgement);
      hit.judgement = null;
    } else {
      hit.judgement = await judgeAnother(hit, query.files, answer.query.model_id);
    }
  } catch (error) {
    if (!(error instanceof ServiceProblem)) throw error;
    showProblem(error);
  }
  redraw();
}

function showAnswer({ answer, query }) {
  byId("start").replaceChildren();
  results.show(answer, query);
  byId("content").scrollTo({ top: 0 });
  // On a small screen the results lie below the form.
  byId("content").scrollIntoView({ block: "start" });
}

/** The cameras and when pictures were taken. */
async function readGallery(signal) {
  try {
    return await Promise.all([listCameras(collection, signal), timeline(collection, BUCKETS, signal)]);
  } catch (error) {
    // A collection appears at its first crop; before, there is nothing to complain of.
    if (error.status === 404) return [[], null];
    throw error;
  }
}

async function loadGallery() {
  reading?.abort();
  const controller = new AbortController();
  reading = controller;
  try {
    [form.cameraFilter.cameras, brush.timeline] = await readGallery(controller.signal);
    clearMessages(GALLERY);
  } catch (error) {
    if (controller.signal.aborted) return;
    if (!(error instanceof ServiceProblem)) throw error;
    // What was read before stays, and what is set with it: a search must not lose its filter because a read failed.
    showProblem({ ...error, again: loadGallery }, GALLERY);
  }
  if (trail.current === null) renderStart();
}

/** What to do first, on an empty gallery or before the first query. */
function renderStart() {
  const start = byId("start");
  if (form.cameraFilter.empty) {
    start.replaceChildren(
      el("h2", {}, "Nothing is enrolled yet"),
      el("p", {}, "Enroll vehicle crops first, then search among them. From a folder of pictures of one camera:"),
      el("pre", {}, el("code", {}, `clip-senet ingest FOLDER --url ${ROOT.href.replace(/\/$/, "")} --camera-id gate-3`)),
      el("p", {}, "or by POST /gallery, described under ", el("a", { href: new URL("docs", ROOT).href }, "API"), "."),
    );
    return;
  }
  start.replaceChildren(
    el("h2", {}, "Where else was this vehicle seen?"),
    el("p", {}, "Give a picture of one vehicle, cut out so that the vehicle fills it. Name the camera that took it to see other cameras only. Then search."),
  );
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    // What is behind a dialog is not what the person is about.
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    run();
  } else if (event.key === "Escape" && running !== null) {
    stop();
  }
});
byId("reset").addEventListener("click", () => {
  stop();
  clearAnswer();
  form.replacePictures([], "");
  form.clearFilters();
  clearMessages();
  renderStart();
  byId("files").focus();
});

/** Where the address names a crop, another page asks to search by it. */
async function searchByAddress() {
  const asked = new URLSearchParams(location.search).get("crop");
  if (asked === null) return;
  let crop = null;
  const known = await attempt(
    async (signal) => {
      crop = await get(`gallery/${encodeURIComponent(asked)}`, {}, signal);
    },
    searchByAddress,
  );
  if (known) await searchBy({ crop });
}

loadGallery();
searchByAddress();
document.addEventListener("visibilitychange", () => document.hidden || loadGallery());
