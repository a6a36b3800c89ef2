// A person's word on a hit: that it shows the vehicle searched for.

import { send } from "../shared/api.js";
import { collection } from "../shared/collection.js";
import { el } from "../shared/dom.js";
import { ask, field, text, textOf } from "../shared/forms.js";

/**
 * Confirm that a hit shows the vehicle of the query; the query's own crops go with it, where they are enrolled.
 * @param {Object} hit
 * @param {{crop: ?string}[]} pictures of the query
 * @param {function(string)} onDone called with the vehicle's id
 */
export function confirmHit({ crop, rank }, pictures, onDone) {
  const id = text(crop.vehicle_id, { maxLength: 256 });
  const label = text("", { maxLength: 256 });
  const others = pictures.map((one) => one.crop).filter(Boolean);
  const what = others.length > 0 ? "The query's enrolled pictures and this one become pictures of one confirmed vehicle." : "This picture becomes one of a confirmed vehicle.";
  ask({
    title: `Rank ${rank} shows the vehicle`,
    fields: [
      el("p", {}, what),
      field("Vehicle id", id, "One that exists takes them in; empty makes a new one."),
      field("What people call it", label),
    ],
    action: "Confirm it",
    submit: async () => {
      const said = Object.entries({ vehicle_id: textOf(id), label: textOf(label) }).filter(([, value]) => value !== null);
      const answer = await send("POST", "vehicles", { collection, crop_ids: [...others, crop.id], ...Object.fromEntries(said) });
      onDone(answer.vehicle.vehicle_id);
    },
  });
}
