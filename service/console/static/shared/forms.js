// Dialogs that ask for a few values and send them.

import { get, ServiceProblem } from "./api.js";
import { button, el, rememberFocus } from "./dom.js";
import { problemBox, showProblem } from "./messages.js";

/**
 * A labelled input for a form.
 * @param {string} label
 * @param {HTMLElement} input
 * @param {?string} hint
 */
export const field = (label, input, hint = null) =>
  el("label", { class: "field" }, el("span", {}, label), input, hint === null ? null : el("span", { class: "hint" }, hint));

export const text = (value, properties = {}) => el("input", { type: "text", value: value ?? "", autocomplete: "off", ...properties });
export const number = (value, properties = {}) => el("input", { type: "number", step: "any", value: value ?? "", ...properties });
export const check = (on) => el("input", { type: "checkbox", checked: on });

/** A labelled checkbox. */
export const checkField = (label, input) => el("label", { class: "check" }, input, el("span", {}, label));

/** The value of a text input; null where it is empty. */
export const textOf = (input) => (input.value.trim() === "" ? null : input.value.trim());
/** The value of a number input; null where it is empty. */
export const numberOf = (input) => (input.value === "" ? null : Number(input.value));

/** What a person changed: the values of `after` that are not as they were offered, those of nested objects one by one. */
export function changed(before, after) {
  const found = {};
  for (const [name, value] of Object.entries(after)) {
    const nested = value !== null && typeof value === "object" && !Array.isArray(value);
    const part = nested ? changed(before[name], value) : value;
    if (nested ? Object.keys(part).length > 0 : JSON.stringify(value) !== JSON.stringify(before[name])) found[name] = part;
  }
  return found;
}

let reading = false;

/** Read something anew, then ask about it: what the page shows may be long past. */
export async function askAbout(path, parameters, open) {
  if (reading) return;
  reading = true;
  try {
    await open(await get(path, parameters));
  } catch (error) {
    if (!(error instanceof ServiceProblem)) throw error;
    showProblem({ ...error, title: error.message });
  } finally {
    reading = false;
  }
}

/**
 * Ask in a dialog. What the service refuses is told in the dialog, which stays open, and while it is asked, too.
 * @param {{title: string, fields: Node[], action: string, danger?: boolean, submit: function(): Promise, cancel?: boolean}} form
 *   where `submit` answers false, the dialog stays; without `cancel`, the action is the only way out
 * @returns {function()} closes the dialog
 */
export function ask({ title, fields, action, danger = false, submit, cancel = true }) {
  const putBack = rememberFocus();
  const problems = el("div", { role: "alert" });
  const send = el("button", { type: "submit", class: danger ? "danger" : "primary" }, action);
  const away = button("Cancel", () => dialog.close(), { hidden: !cancel });
  const dialog = el("dialog", { class: "form-dialog", "aria-label": title });
  const form = el("form", {}, el("h2", {}, title), problems, ...fields, el("div", { class: "actions" }, send, away));
  let held = !cancel;
  let done = false;
  const hold = (on) => {
    held = on || !cancel;
    send.disabled = on;
    away.disabled = on;
  };
  const close = () => {
    done = true;
    dialog.close();
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    hold(true);
    try {
      if ((await submit()) !== false) close();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      problems.replaceChildren(problemBox(error));
    } finally {
      hold(false);
    }
  });
  dialog.append(form);
  dialog.addEventListener("cancel", (event) => held && event.preventDefault());
  dialog.addEventListener("close", () => {
    // A browser lets Esc be prevented once or twice only; then it closes whatever is open.
    if (held && !done) {
      dialog.showModal();
      return;
    }
    dialog.remove();
    putBack();
  });
  document.body.append(dialog);
  dialog.showModal();
  return close;
}
