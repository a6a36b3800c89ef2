// The cameras of a collection: what they have seen, what they are called and where they stand.

import { all, send, ServiceProblem } from "../shared/api.js";
import { collection } from "../shared/collection.js";
import { button, el, integer } from "../shared/dom.js";
import { ask, askAbout, changed, field, number, numberOf, text, textOf } from "../shared/forms.js";
import { PagedTable, place } from "../shared/list.js";
import { showProblem } from "../shared/messages.js";
import { Places } from "../shared/places.js";
import "../shared/shell.js";
import { bothClocks } from "../shared/time.js";

const table = new PagedTable({
  path: "cameras",
  id: "camera_id",
  caption: "Cameras",
  empty: "No camera has seen anything yet. One appears at its first crop, or when it is announced.",
  columns: [
    { name: "Camera", cell: (camera) => [el("strong", {}, camera.camera_id), camera.name && el("span", { class: "sub" }, camera.name)] },
    { name: "Crops", class: "figure", cell: ({ crops }) => integer(crops) },
    { name: "First", class: "when-cell", cell: ({ first_captured_at }) => bothClocks(first_captured_at) },
    { name: "Last", class: "when-cell", cell: ({ last_captured_at }) => bothClocks(last_captured_at) },
    { name: "Place", cell: ({ latitude, longitude }) => (latitude === null ? null : `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`) },
    { name: "Actions", cell: ({ camera_id: id }) => button("Edit", () => edit(id)) },
  ],
});
const places = new Places();

function fields(camera) {
  const name = text(camera.name, { maxLength: 256 });
  const latitude = number(camera.latitude, { min: "-90", max: "90" });
  const longitude = number(camera.longitude, { min: "-180", max: "180" });
  return {
    nodes: [field("Name", name), field("Latitude, degrees", latitude), field("Longitude, degrees", longitude, "Both or neither.")],
    read: () => ({ name: textOf(name), latitude: numberOf(latitude), longitude: numberOf(longitude) }),
  };
}

const edit = (id) => askAbout(`cameras/${encodeURIComponent(id)}`, { collection }, askForChanges);

function askForChanges(camera) {
  const { nodes, read } = fields(camera);
  const before = read();
  ask({
    title: `Camera ${camera.camera_id}`,
    fields: nodes,
    action: "Save",
    submit: async () => {
      const patch = changed(before, read());
      if (Object.keys(patch).length > 0) await send("PATCH", `cameras/${encodeURIComponent(camera.camera_id)}`, patch, { collection });
      await refresh();
    },
  });
}

function announce() {
  const id = text("", { required: true, maxLength: 256 });
  const { nodes, read } = fields({ name: null, latitude: null, longitude: null });
  ask({
    title: "Announce a camera",
    fields: [field("Camera id", id, "As the crops will name it."), ...nodes],
    action: "Announce it",
    submit: async () => {
      await send("POST", "cameras", { collection, camera_id: id.value.trim(), ...read() });
      await refresh();
    },
  });
}

async function refresh() {
  await table.show({ collection, limit: 200 });
  try {
    const cameras = await all("cameras", { collection, limit: 1000 });
    places.show(cameras.filter(({ latitude }) => latitude !== null).map((camera) => ({ ...camera, label: camera.name ?? camera.camera_id })));
  } catch (error) {
    if (!(error instanceof ServiceProblem)) throw error;
    showProblem(error);
  }
}

place(el("div", { class: "tools" }, button("Announce a camera", announce, { class: "push" })), places.element, table.element);
refresh();
