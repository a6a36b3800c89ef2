// The collections: what each keeps and refuses.

import { send, ServiceProblem, withParameters } from "../shared/api.js";
import { addressOf, collection } from "../shared/collection.js";
import { button, count, el, integer } from "../shared/dom.js";
import { ask, askAbout, changed, check, checkField, field, number, numberOf, text, textOf } from "../shared/forms.js";
import { PagedTable, place } from "../shared/list.js";
import "../shared/shell.js";
import { inLocalTime } from "../shared/time.js";

const DAY_MS = 86_400_000;
const FLOOR = {
  min_width: "Least width, px",
  min_height: "Least height, px",
  min_sharpness: "Least sharpness",
  min_brightness: "Least brightness, 0 to 1",
  max_brightness: "Greatest brightness, 0 to 1",
  min_aspect: "Least width / height",
  max_aspect: "Greatest width / height",
};
const CALIBRATIONS = { valid: "good", stale: "warn", none: "muted" };

const table = new PagedTable({
  path: "collections",
  id: "name",
  caption: "Collections",
  empty: "There is no collection yet. One appears at its first enrolment, or when it is made here.",
  columns: [
    { name: "Collection", cell: named },
    { name: "Crops", class: "figure", cell: ({ crops }) => integer(crops) },
    { name: "Cameras", class: "figure", cell: ({ cameras }) => integer(cameras) },
    { name: "Kept for", cell: ({ retention_days: days }) => (days === null ? "ever" : `${days} days`) },
    { name: "Pictures", cell: ({ keep_images }) => (keep_images ? "kept" : "not kept") },
    { name: "Purpose", cell: ({ require_purpose }) => (require_purpose ? "asked for" : "optional") },
    { name: "Calibration", cell: ({ calibration }) => el("span", { class: `mark ${CALIBRATIONS[calibration]}` }, calibration) },
    { name: "Model", cell: (one) => [one.model_id, one.model_loaded ? null : el("span", { class: "sub error" }, "not the one loaded: embed again")] },
    { name: "Actions", cell: ({ name }) => [button("Edit", () => edit(name)), " ", button("Delete", () => remove(name))] },
  ],
});

function named({ name, description }) {
  const link = el("a", { href: addressOf(name), "aria-current": name === collection ? "true" : null }, name);
  return [el("strong", {}, link), description && el("span", { class: "sub" }, description)];
}

function settings(one) {
  const description = text(one.description, { maxLength: 1000 });
  const days = number(one.retention_days, { min: "0" });
  const keeps = check(one.keep_images);
  const purpose = check(one.require_purpose);
  const codecs = ["", "fp32", "fp16", "sq8", "rabitq"].map((name) => el("option", { value: name, selected: name === (one.codec ?? "") }, name || "as the service is set to"));
  const codec = el("select", {}, ...codecs);
  const floor = Object.fromEntries(Object.keys(FLOOR).map((name) => [name, number(one.quality_floor[name] ?? null, { min: "0" })]));
  return {
    nodes: [
      field("Description", description),
      field("Days that crops are kept", days, "Empty: for ever. Older crops are deleted within minutes."),
      field("Vectors are kept as", codec),
      checkField("Keep pictures of crops enrolled from now on", keeps),
      checkField("Searching, looking and deleting need a purpose", purpose),
      el("details", {}, el("summary", {}, "Pictures that are not enrolled"), ...Object.entries(FLOOR).map(([name, label]) => field(label, floor[name]))),
    ],
    read: () => ({
      description: textOf(description),
      retention_days: numberOf(days),
      codec: codec.value || null,
      keep_images: keeps.checked,
      require_purpose: purpose.checked,
      quality_floor: Object.fromEntries(Object.entries(floor).map(([name, input]) => [name, numberOf(input)])),
    }),
  };
}

const pathOf = (name) => `collections/${encodeURIComponent(name)}`;
const edit = (name) => askAbout(pathOf(name), {}, askForChanges);
const remove = (name) => askAbout(pathOf(name), {}, askToDelete);

function askForChanges(one) {
  const { nodes, read } = settings(one);
  const before = read();
  const close = ask({
    title: `Collection ${one.name}`,
    fields: nodes,
    action: "Save",
    submit: async () => {
      const patch = changed(before, read());
      const save = async () => {
        if (Object.keys(patch).length > 0) await send("PATCH", pathOf(one.name), patch);
        await table.show();
      };
      const days = patch.retention_days ?? null;
      if (days === null || (one.retention_days !== null && days >= one.retention_days)) return save();
      await askToShorten(one.name, days, async () => {
        await save();
        close();
      });
      return false;
    },
  });
}

/** Crops that are older than a collection keeps them are deleted within minutes: say how many that are, then do it. */
async function askToShorten(name, days, save) {
  const before = new Date(Math.max(0, Date.now() - days * DAY_MS)).toISOString();
  let concerned;
  try {
    const { count: crops } = await send("POST", "gallery/delete", { collection: name, to: before, dry_run: true });
    concerned = `${count(crops, "crop")} captured before ${inLocalTime(before)} will be deleted within minutes, and those without a time of capture that were enrolled before then.`;
  } catch (error) {
    if (!(error instanceof ServiceProblem)) throw error;
    concerned = `Whatever was captured before ${inLocalTime(before)}, or enrolled before then without a time of capture, will be deleted within minutes. How many crops that are cannot be told: ${error.detail ?? error.message}`;
  }
  ask({
    title: `Keep crops of ${name} for ${days} days only?`,
    fields: [el("p", {}, concerned), el("p", {}, "Nothing brings them back.")],
    action: "Delete older ones",
    danger: true,
    submit: save,
  });
}

function make() {
  const name = text("", { required: true, maxLength: 256 });
  const { nodes, read } = settings({ description: null, retention_days: null, codec: null, keep_images: true, require_purpose: false, quality_floor: {} });
  ask({
    title: "Make a collection",
    fields: [field("Name", name, "It stays as it is."), ...nodes],
    action: "Make it",
    submit: async () => {
      await send("POST", "collections", { name: name.value.trim(), ...read() });
      await table.show();
    },
  });
}

function askToDelete(one) {
  const name = text("", { required: true });
  ask({
    title: `Delete ${one.name}?`,
    fields: [
      el("p", {}, `With it go ${count(one.crops, "crop")} with pictures and vectors, its cameras, vehicles and watches. Nothing brings them back.`),
      field("Type the name to be sure", name),
    ],
    action: "Delete it",
    danger: true,
    submit: async () => {
      if (name.value !== one.name) {
        name.setCustomValidity(`Type ${one.name}`);
        name.reportValidity();
        name.addEventListener("input", () => name.setCustomValidity(""), { once: true });
        return false;
      }
      const job = await send("DELETE", pathOf(one.name));
      if (job !== null) location.assign(withParameters(new URL("jobs", location.href).href, { collection: one.name }));
      await table.show();
      return true;
    },
  });
}

place(el("div", { class: "tools" }, button("Make a collection", make, { class: "primary push" })), table.element);
table.show({ limit: 200 });
