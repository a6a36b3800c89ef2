// What every page has: whether the service is ready, and the key that is shown to it.

import { unreadiness, whenUnauthorized, within } from "./api.js";
import { offerCollections } from "./collection.js";
import { byId, el } from "./dom.js";
import { session } from "./session.js";

// Readiness runs the model once, so it is asked for sparingly.
const STATE_EVERY_MS = 60_000;
const STATE_WITHIN_MS = 30_000;

const keyOfPage = session.key;
let asked = false;

async function showState() {
  const reason = await unreadiness(within(STATE_WITHIN_MS));
  byId("state").classList.toggle("down", reason !== null);
  const text = reason === null ? "Ready" : `Not ready: ${reason}`;
  if (byId("state").textContent !== text) byId("state").textContent = text;
}

function askForKey(why = null) {
  const dialog = byId("session-dialog");
  if (dialog.open) return;
  // A header holds no other signs: a key with a dash that a word processor made longer is none.
  const key = el("input", { type: "password", id: "session-key", autocomplete: "off", spellcheck: false, value: session.key, pattern: "[ -~]*", title: "A key has no such signs in it: letters, digits and underscores only. Copy it anew." });
  const purpose = el("input", { type: "text", id: "session-purpose", maxLength: 1000, autocomplete: "off", value: session.purpose });
  const form = el(
    "form",
    { method: "dialog" },
    el("h2", { id: "session-title" }, "Who looks, and why"),
    why === null ? null : el("p", { class: "caution" }, why),
    el("label", { class: "field" }, el("span", {}, "Key ", el("em", {}, "where the service asks for one")), key),
    el("label", { class: "field" }, el("span", {}, "Purpose ", el("em", {}, "kept in the audit log with all you look at")), purpose),
    el("p", { class: "hint" }, "Both stay in this tab and are gone when it is closed."),
    el("div", { class: "actions" }, el("button", { type: "submit", class: "primary" }, "Use"), cancel(dialog)),
  );
  form.addEventListener("submit", () => {
    session.keep({ key: key.value.trim(), purpose: purpose.value.trim() });
    location.reload();
  });
  dialog.replaceChildren(form);
  dialog.showModal();
  key.focus();
}

function cancel(dialog) {
  const button = el("button", { type: "button" }, "Cancel");
  button.addEventListener("click", () => dialog.close());
  return button;
}

/** Ask for a key where there is none that holds: once for what the page reads by itself, and whenever a person sends something. */
function askAgain({ sent }) {
  if (asked && !sent) return;
  asked = true;
  askForKey(session.key === "" ? "The service asks for a key." : "The service does not take this key any longer.");
}

// Back and forward may show a page as it was left, with what was read with another key.
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted || session.key === keyOfPage) return;
  document.body.hidden = true;
  location.reload();
});
byId("session").addEventListener("click", () => askForKey());
whenUnauthorized(askAgain);
offerCollections();
showState();
setInterval(() => document.hidden || showState(), STATE_EVERY_MS);
document.addEventListener("visibilitychange", () => document.hidden || showState());
