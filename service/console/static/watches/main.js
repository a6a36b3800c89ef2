// The watches: standing searches of the collection, and one of them with its hits as they come.

import { send, ServiceProblem } from "../shared/api.js";
import { collection } from "../shared/collection.js";
import { button, el, integer } from "../shared/dom.js";
import { PagedTable, place } from "../shared/list.js";
import { repeat } from "../shared/live.js";
import { clearMessages, showProblem } from "../shared/messages.js";
import "../shared/shell.js";
import { bothClocks } from "../shared/time.js";
import { makeWatch } from "./form.js";
import { addressOfWatch, stateMark, thresholdText } from "./said.js";
import { WatchPage } from "./watch.js";

const EVERY_MS = 5_000;

const table = new PagedTable({
  path: "watches",
  followed: true,
  caption: "Watches, newest first",
  empty: "Nothing is watched for yet. Make a watch here by a picture, or at a result of a search.",
  columns: [
    { name: "Watch", cell: ({ id, name, made_of: of }) => [el("a", { href: addressOfWatch(id) }, el("strong", {}, name)), el("span", { class: "sub" }, of === "crops" ? "for enrolled pictures" : "for a picture that is not kept")] },
    { name: "State", class: "state-cell", cell: (watch) => [stateMark(watch), watch.explanation && el("span", { class: "sub" }, watch.explanation)] },
    { name: "A hit from", cell: thresholdText },
    { name: "Hits", class: "figure", cell: ({ hits }) => integer(hits) },
    { name: "Webhook", cell: webhook },
    { name: "Made", class: "when-cell", cell: ({ created_at: at }) => bothClocks(at) },
    { name: "By", cell: ({ created_by: by }) => by },
    { name: "Actions", cell: pausing },
  ],
});

function webhook({ webhook_url: url, dead_deliveries: dead }) {
  const host = url === null ? "none" : new URL(url).host;
  return dead === 0 ? host : [host, el("span", { class: "sub error" }, `${integer(dead)} given up`)];
}

function pausing({ id, name, paused }) {
  const change = async () => {
    clearMessages();
    try {
      await send("PATCH", `watches/${id}`, { paused: !paused });
      await refresh();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      showProblem(error);
    }
  };
  const text = paused ? "Resume" : "Pause";
  return button(text, change, { "aria-label": `${text} ${name}` });
}

const refresh = () => table.show({ collection, limit: 100 });

function showList(crops) {
  const make = () => makeWatch([], open);
  place(el("div", { class: "tools" }, button("Watch for a picture", make, { class: "push" })), table.element);
  // The first page only, and only while nobody has asked for more.
  repeat(async () => table.more || refresh(), EVERY_MS);
  if (crops.length > 0) makeWatch(crops, open);
}

function open({ id }) {
  location.assign(addressOfWatch(id));
}

const asked = new URLSearchParams(location.search);
const shown = asked.get("watch");
if (shown === null) {
  showList(asked.getAll("crop"));
} else {
  const page = new WatchPage(shown);
  place(el("div", { class: "tools" }, button("All watches", () => location.assign(addressOfWatch(null)))), page.element);
  page.show();
}
