// Problems in words: what happened, what to do, and the request id to ask an operator about.

import { byId, el } from "./dom.js";

/** Whose message it is where nobody says: what the person did last. */
const ACTION = "action";

/** Take away every message, or those of one part of the page: what a list reads well says nothing of a click that was refused. */
export function clearMessages(about = null) {
  for (const box of [...byId("messages").children]) if (about === null || box.dataset.about === about) box.remove();
}

/**
 * A problem in words.
 * @param {{title: string, detail?: string, errors?: Object[], requestId?: string, retryAfter?: number}} problem
 */
export function problemBox({ title, detail, errors = [], requestId, retryAfter }) {
  // The detail often repeats the only reason.
  const reasons = errors.filter((error) => error.detail && !detail?.includes(error.detail)).map((error) => el("li", {}, reason(error)));
  return el(
    "div",
    { class: "message" },
    el("strong", {}, title),
    detail ? el("p", {}, detail) : null,
    reasons.length > 0 ? el("ul", {}, ...reasons) : null,
    retryAfter ? el("p", {}, `Try again in ${retryAfter} s.`) : null,
    requestId ? el("p", { class: "request" }, "Request ", el("code", {}, requestId)) : null,
  );
}

/**
 * Tell a problem at the head of the page, until it is dismissed.
 * @param {Object} problem as `problemBox` takes it; with `again`, a button tries once more
 * @param {string} about which part of the page; a part has one message at a time, and one that comes again is left as it is
 */
export function showProblem({ again, ...problem }, about = ACTION) {
  const said = `${problem.title}\n${problem.detail ?? ""}`;
  const before = [...byId("messages").children].find((box) => box.dataset.about === about);
  if (about !== ACTION && before?.dataset.said === said) return;
  const box = problemBox(problem);
  Object.assign(box.dataset, { about, said });
  const close = el("button", { type: "button", class: "close", "aria-label": "Dismiss this message" }, "×");
  box.prepend(close);
  if (again) {
    const retry = el("button", { type: "button" }, "Try again");
    retry.addEventListener("click", again);
    box.append(retry);
  }
  close.addEventListener("click", () => box.remove());
  before?.remove();
  byId("messages").prepend(box);
  box.scrollIntoView({ block: "nearest" });
}

function reason({ detail, index }) {
  return Number.isInteger(index) ? `Picture ${index + 1}: ${detail}` : detail;
}
