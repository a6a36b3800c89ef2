// Long work: how far it is, and what came of it.

import { send } from "../shared/api.js";
import { collection } from "../shared/collection.js";
import { button, el, integer } from "../shared/dom.js";
import { ask } from "../shared/forms.js";
import { PagedTable, place } from "../shared/list.js";
import { repeat } from "../shared/live.js";
import "../shared/shell.js";
import { bothClocks, duration } from "../shared/time.js";

const EVERY_MS = 2_000;
const NAMES = {
  delete_crops: "Delete crops",
  delete_collection: "Delete a collection",
  clean_files: "Clean the index's files",
  rebuild_index: "Rebuild the index",
  remove_images: "Remove pictures",
  reembed_collection: "Embed again",
};
const MARKS = { queued: "muted", running: "warn", succeeded: "good", failed: "bad", cancelled: "muted" };

const everywhere = el("input", { type: "checkbox" });
const table = new PagedTable({
  path: "jobs",
  followed: true,
  caption: "Jobs, newest first",
  empty: "No long work was asked for in the last 30 days.",
  columns: [
    { name: "Job", cell: (job) => [el("strong", {}, NAMES[job.kind] ?? job.kind), el("span", { class: "sub" }, job.collection ?? "the service")] },
    { name: "State", cell: (job) => el("span", { class: `mark ${MARKS[job.state]}` }, job.state) },
    { name: "Progress", class: "progress-cell", cell: progress },
    { name: "Asked for", class: "when-cell", cell: (job) => bothClocks(job.created_at) },
    { name: "By", cell: (job) => job.created_by },
    { name: "Actions", cell: action },
  ],
});

function progress(job) {
  const amount = job.total === null ? integer(job.done) : `${integer(job.done)} of ${integer(job.total)}`;
  const parts = [el("span", { class: "amount" }, amount)];
  if (job.state === "running" || job.state === "queued") {
    const bar = el("progress", { max: 1, "aria-label": `${NAMES[job.kind] ?? job.kind}: ${amount}` });
    if (job.progress !== null) bar.value = job.progress;
    parts.unshift(bar);
    if (job.seconds_left !== null) parts.push(el("span", { class: "sub" }, `about ${duration(job.seconds_left)} left`));
  }
  if (job.error !== null) parts.push(el("span", { class: "sub error" }, job.error));
  return parts;
}

function action(job) {
  if (job.state !== "running" && job.state !== "queued") return null;
  if (job.cancel_requested) return "stopping";
  return button("Stop", () => ask({
    title: `Stop “${NAMES[job.kind] ?? job.kind}”?`,
    fields: [el("p", {}, "It stops after the step that it is at. What it has done stays done.")],
    action: "Stop it",
    danger: true,
    submit: async () => {
      await send("POST", `jobs/${job.id}/cancel`);
      await refresh();
    },
  }));
}

const refresh = () => table.show(everywhere.checked ? {} : { collection });

async function rebuild() {
  await send("POST", "jobs", { kind: "rebuild_index" });
  await refresh();
}

everywhere.addEventListener("change", refresh);
place(
  el(
    "div",
    { class: "tools" },
    el("label", { class: "check" }, everywhere, el("span", {}, "Jobs of all collections, and of the service")),
    button("Rebuild the index", () => ask({
      title: "Rebuild the index?",
      fields: [el("p", {}, "It is read anew from the database. Searches of this process are answered 503 until that is done.")],
      action: "Rebuild it",
      danger: true,
      submit: rebuild,
    }), { class: "push" }),
  ),
  table.element,
);
// The first page only, and only while nobody has asked for more.
repeat(async () => table.more || refresh(), EVERY_MS);
