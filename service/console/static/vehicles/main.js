// The vehicles that people confirmed, and where each was seen.

import { button, el, integer } from "../shared/dom.js";
import { collection } from "../shared/collection.js";
import { PagedTable, place } from "../shared/list.js";
import { cropImage } from "../shared/pictures.js";
import "../shared/shell.js";
import { bothClocks } from "../shared/time.js";
import { addressOfVehicle, VehiclePage } from "./vehicle.js";

const THUMBNAIL_PX = 120;

const claimed = el("input", { type: "checkbox" });
const table = new PagedTable({
  path: "vehicles",
  id: "vehicle_id",
  caption: "Vehicles",
  empty: "No vehicle is confirmed yet. Confirm one at a result of a search.",
  columns: [
    { name: "Picture", class: "picture-cell", cell: ({ best_crop_id: crop }) => (crop === null ? null : cropImage(crop, { size: THUMBNAIL_PX })) },
    { name: "Vehicle", cell: named },
    { name: "Crops", class: "figure", cell: ({ crops }) => integer(crops) },
    { name: "Only claimed", class: "figure", cell: ({ claimed_crops }) => integer(claimed_crops) },
    { name: "Cameras", class: "figure", cell: ({ cameras }) => integer(cameras) },
    { name: "First", class: "when-cell", cell: ({ first_captured_at }) => bothClocks(first_captured_at) },
    { name: "Last", class: "when-cell", cell: ({ last_captured_at }) => bothClocks(last_captured_at) },
  ],
});

function named({ vehicle_id: id, label, confirmed }) {
  const link = el("a", { href: addressOfVehicle(id) }, el("strong", {}, label ?? id));
  const mark = confirmed ? null : el("span", { class: "mark muted" }, "only claimed");
  return [link, label === null ? null : el("span", { class: "sub" }, id), mark].filter(Boolean);
}

const show = () => table.show({ collection, claimed: claimed.checked || null, limit: 50 });

const asked = new URLSearchParams(location.search).get("vehicle");
if (asked === null) {
  claimed.addEventListener("change", show);
  const tick = el("label", { class: "check" }, claimed, el("span", {}, "Also vehicles that nobody has confirmed"));
  place(el("div", { class: "tools" }, tick), table.element);
  show();
} else {
  const page = new VehiclePage(asked);
  place(el("div", { class: "tools" }, button("All vehicles", () => location.assign(addressOfVehicle(null)))), page.element);
  page.show();
}
