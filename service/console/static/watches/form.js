// The dialogs that make a watch and change one.

import { call, get, listCameras, send, ServiceProblem } from "../shared/api.js";
import { collection } from "../shared/collection.js";
import { el } from "../shared/dom.js";
import { ask, askAbout, changed, field, number, numberOf, text, textOf } from "../shared/forms.js";
import { showProblem } from "../shared/messages.js";
import { cropImage } from "../shared/pictures.js";
import { session } from "../shared/session.js";
import { DECISIONS } from "../shared/sightings.js";
import { inputOfTime, utcOfInput } from "../shared/time.js";

const THUMBNAIL_PX = 160;
const BY_SCORE = "score";

/**
 * Ask for a new watch.
 * @param {string[]} crops enrolled pictures of the vehicle; none: pictures are chosen in the dialog
 * @param {function(Object)} onMade called with the watch, once its secret has been seen
 */
export async function makeWatch(crops, onMade) {
  const surroundings = await lookAround();
  if (surroundings === null) return;
  const name = text("", { required: true, maxLength: 256 });
  const files = el("input", { type: "file", multiple: true, required: true, accept: "image/*" });
  const purpose = text(session.purpose, { maxLength: 1000 });
  const { nodes, read } = settings({ decision: surroundings.calibrated ? "possible" : null, min_score: null, camera_ids: null, webhook_url: null, expires_at: null }, surroundings);
  const pictures = el("div", { class: "watched", role: "group", "aria-label": "Pictures of the vehicle" }, ...crops.map((id) => cropImage(id, { size: THUMBNAIL_PX })));
  ask({
    title: "Watch for a vehicle",
    fields: [
      field("What people call it", name),
      crops.length > 0 ? pictures : field("Pictures of the vehicle", files, "Up to 16 of one vehicle, cut out. They are not kept, and have to be chosen again after a change of the model."),
      ...nodes,
      field("Purpose", purpose, "Kept in the audit log, with every hit too."),
    ],
    action: "Watch for it",
    submit: async () => {
      const values = { collection, name: name.value.trim(), purpose: textOf(purpose), ...read() };
      const said = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
      const watch = crops.length > 0 ? await send("POST", "watches", { ...said, crop_ids: crops }) : await sendPictures(said, files.files);
      if (watch.webhook_url === null) onMade(watch);
      else showSecret(watch.webhook_secret, () => onMade(watch));
    },
  });
}

async function sendPictures(said, files) {
  const form = new FormData();
  for (const file of files) form.append("images", file, file.name);
  for (const [name, value] of Object.entries(said)) {
    for (const one of [value].flat()) form.append(name, one);
  }
  return call("watches/image", { method: "POST", body: form });
}

/** Ask for other settings of a watch. */
export const changeWatch = (path, onChanged) => askAbout(path, {}, (watch) => askForSettings(watch, path, onChanged));

async function askForSettings(watch, path, onChanged) {
  const surroundings = await lookAround();
  if (surroundings === null) return;
  const stale = watch.state === "stale";
  const name = text(watch.name, { required: true, maxLength: 256 });
  // A number that was right for another model is not offered again as if it were for this one.
  const { nodes, read } = settings(stale ? { ...watch, min_score: null } : watch, surroundings);
  const before = { name: name.value.trim(), ...read() };
  ask({
    title: `Change “${watch.name}”`,
    fields: [
      stale ? el("p", { class: "caution" }, "It was made with another model. Say what is a hit by the one in use.") : null,
      field("What people call it", name),
      ...nodes,
      el("p", { class: "hint" }, "What changes holds for pictures that come from now on. The watch searches with your key from then on."),
    ].filter(Boolean),
    action: "Save",
    submit: async () => {
      const after = { name: name.value.trim(), ...read() };
      const { min_score: score, decision, ...patch } = changed(before, after);
      // The service takes the one or the other.
      if (stale || score !== undefined || decision !== undefined) Object.assign(patch, after.decision === null ? { min_score: after.min_score } : { decision: after.decision });
      // Sent even where nothing changed: whoever saves it answers for it.
      await send("PATCH", path, patch);
      await onChanged();
    },
  });
}

/** Show a webhook's secret, this once; then go on. */
export function showSecret(secret, onSeen) {
  const shown = el("input", { type: "text", value: secret, readOnly: true });
  shown.addEventListener("focus", () => shown.select());
  ask({
    title: "The webhook's secret",
    fields: [
      el("p", {}, "Messages are signed with it. It is shown this once: give it to the receiver now."),
      field("Secret", shown),
    ],
    action: "I have it",
    submit: onSeen,
    cancel: false,
  });
}

/** The cameras to choose from, and whether scores can be decided on; null where the service does not say. */
async function lookAround() {
  try {
    const [cameras, { calibration }] = await Promise.all([listCameras(collection), get(`collections/${encodeURIComponent(collection)}`)]);
    return { cameras: cameras.map(({ camera_id: id }) => id), calibrated: calibration === "valid" };
  } catch (error) {
    if (!(error instanceof ServiceProblem)) throw error;
    showProblem(error);
    return null;
  }
}

function settings({ decision, min_score: score, camera_ids: chosen, webhook_url: url, expires_at: end }, { cameras, calibrated }) {
  const choices = [[BY_SCORE, "a score of at least"], ...["match", "possible"].map((name) => [name, `at least “${DECISIONS[name][1]}”`])];
  const kind = el("select", {}, ...choices.map(([value, words]) => el("option", { value, selected: value === (decision ?? BY_SCORE), disabled: value !== BY_SCORE && !calibrated }, words)));
  const least = number(score, { min: "-1", max: "1" });
  const leastField = field("Lowest score, −1 to 1", least, calibrated ? null : "Scores of this collection are not calibrated; look at searches to see which scores the same vehicle has.");
  const offered = [...new Set([...(chosen ?? []), ...cameras])];
  const only = el("select", { multiple: true, size: Math.min(5, Math.max(2, offered.length)) }, ...offered.map((id) => el("option", { value: id, selected: (chosen ?? []).includes(id) }, id)));
  const webhook = el("input", { type: "url", value: url ?? "", autocomplete: "off", maxLength: 2000 });
  const expires = el("input", { type: "datetime-local", step: 1, value: end === null ? "" : inputOfTime(new Date(end)) });
  const adapt = () => {
    leastField.hidden = kind.value !== BY_SCORE;
    least.required = kind.value === BY_SCORE;
  };
  kind.addEventListener("change", adapt);
  adapt();
  return {
    nodes: [
      field("A picture is a hit from", kind),
      leastField,
      field("Only by these cameras", only, "None chosen: by any. Ctrl takes more than one."),
      field("Webhook", webhook, "Where each hit is told; empty: hits are only listed here."),
      field("Ends", expires, "On your clock; empty: when it is deleted."),
    ],
    read: () => ({
      min_score: kind.value === BY_SCORE ? numberOf(least) : null,
      decision: kind.value === BY_SCORE ? null : kind.value,
      camera_ids: only.selectedOptions.length === 0 ? null : [...only.selectedOptions].map(({ value }) => value),
      webhook_url: textOf(webhook),
      expires_at: utcOfInput(expires.value),
    }),
  };
}
