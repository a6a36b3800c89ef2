// Dialogs that ask for a few values and send them.

import { ServiceProblem } from "./api.js";
import { button, el } from "./dom.js";
import { problemBox } from "./messages.js";

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

/**
 * Ask in a dialog. What the service refuses is told in the dialog, which stays open.
 * @param {{title: string, fields: Node[], action: string, danger?: boolean, submit: function(): Promise, cancel?: boolean}} form
 *   where `submit` answers false, the dialog stays; without `cancel`, the action is the only way out
 */
export function ask({ title, fields, action, danger = false, submit, cancel = true }) {
  const problems = el("div", { role: "alert" });
  const send = el("button", { type: "submit", class: danger ? "danger" : "primary" }, action);
  const dialog = el("dialog", { class: "form-dialog", "aria-label": title });
  const form = el(
    "form",
    {},
    el("h2", {}, title),
    problems,
    ...fields,
    el("div", { class: "actions" }, send, cancel ? button("Cancel", () => dialog.close()) : null),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      if ((await submit()) !== false) dialog.close();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      problems.replaceChildren(problemBox(error));
    } finally {
      send.disabled = false;
    }
  });
  dialog.append(form);
  if (!cancel) dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
