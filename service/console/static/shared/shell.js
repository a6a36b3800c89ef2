// What every page has: whether the service is ready, and the key that is shown to it.

import { unreadiness, whenUnauthorized, within } from "./api.js";
import { offerCollections } from "./collection.js";
import { byId, el } from "./dom.js";
import { session } from "./session.js";

// Readiness runs the model once, so it is asked for sparingly.
const STATE_EVERY_MS = 60_000;
const STATE_WITHIN_MS = 30_000;

async function showState() {
  const reason = await unreadiness(within(STATE_WITHIN_MS));
  byId("state").classList.toggle("down", reason !== null);
  const text = reason === null ? "Ready" : `Not ready: ${reason}`;
  if (byId("state").textContent !== text) byId("state").textContent = text;
}

function askForKey(why = null) {
  const dialog = byId("session-dialog");
  if (dialog.open) return;
  const key = el("input", { type: "password", id: "session-key", autocomplete: "off", spellcheck: false, value: session.key });
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

byId("session").addEventListener("click", () => askForKey());
whenUnauthorized(() => askForKey(session.key === "" ? "The service asks for a key." : "The service does not take this key any longer."));
offerCollections();
showState();
setInterval(() => document.hidden || showState(), STATE_EVERY_MS);
document.addEventListener("visibilitychange", () => document.hidden || showState());
