// The audit log: who did what, when and why.

import { asBlob, call, ServiceProblem, withParameters } from "../shared/api.js";
import { collection } from "../shared/collection.js";
import { button, el, integer } from "../shared/dom.js";
import { field, text, textOf } from "../shared/forms.js";
import { PagedTable, place } from "../shared/list.js";
import { clearMessages, showProblem } from "../shared/messages.js";
import "../shared/shell.js";
import { bothClocks, utcOfInput } from "../shared/time.js";

const CROPS_SHOWN = 3;

const inputs = {
  action: text("", { placeholder: "search_by_image" }),
  from: el("input", { type: "datetime-local", step: 1 }),
  to: el("input", { type: "datetime-local", step: 1 }),
  crop_id: text("", { placeholder: "id of a crop" }),
};
const everywhere = el("input", { type: "checkbox" });

const parameters = () => ({
  collection: everywhere.checked ? null : collection,
  action: textOf(inputs.action),
  from: utcOfInput(inputs.from.value),
  to: utcOfInput(inputs.to.value),
  crop_id: textOf(inputs.crop_id),
});

const table = new PagedTable({
  path: "audit",
  caption: "Audit log, newest first",
  empty: "Nothing was done that meets these conditions.",
  columns: [
    { name: "When", class: "when-cell", cell: ({ at }) => bothClocks(at) },
    { name: "Who", cell: ({ key_name }) => key_name },
    { name: "What", cell: (entry) => [el("strong", {}, entry.action), el("span", { class: "sub" }, entry.collection ?? "")] },
    { name: "Why", cell: ({ purpose }) => purpose },
    { name: "Conditions", cell: ({ filter }) => conditions(filter) },
    { name: "Crops", cell: ({ crop_ids }) => crops(crop_ids) },
    { name: "Request", cell: ({ request_id }) => (request_id === null ? null : el("code", {}, request_id)) },
  ],
});

function conditions(filter) {
  const entries = Object.entries(filter ?? {});
  if (entries.length === 0) return null;
  return el("ul", {}, ...entries.map(([name, value]) => el("li", {}, `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)));
}

function crops(ids) {
  if (ids.length === 0) return null;
  const shown = ids.slice(0, CROPS_SHOWN).map((id) => el("li", {}, el("code", {}, id)));
  if (ids.length > CROPS_SHOWN) shown.push(el("li", {}, `and ${integer(ids.length - CROPS_SHOWN)} more`));
  return el("ul", {}, ...shown);
}

async function keep() {
  // A time that is typed half has no value; without this, all times would be exported.
  if (!form.reportValidity()) return;
  clearMessages();
  try {
    const address = URL.createObjectURL(await call(withParameters("audit/export", parameters()), {}, asBlob));
    el("a", { href: address, download: "audit.ndjson" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (error) {
    if (!(error instanceof ServiceProblem)) throw error;
    showProblem(error);
  }
}

const show = () => table.show(parameters());
const form = el(
  "form",
  { class: "tools" },
  field("What", inputs.action),
  field("From", inputs.from),
  field("Before", inputs.to),
  field("Crop", inputs.crop_id),
  el("label", { class: "check" }, everywhere, el("span", {}, "All collections")),
  el("button", { type: "submit", class: "primary" }, "Show"),
  button("Export", keep, { class: "push" }),
);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
place(form, table.element);
show();
