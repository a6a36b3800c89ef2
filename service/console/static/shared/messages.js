// Problems in words: what happened, what to do, and the request id to ask an operator about.

import { byId, el } from "./dom.js";

export function clearMessages() {
  byId("messages").replaceChildren();
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
 */
export function showProblem({ again, ...problem }) {
  const box = problemBox(problem);
  const close = el("button", { type: "button", class: "close", "aria-label": "Dismiss this message" }, "×");
  box.prepend(close);
  if (again) {
    const retry = el("button", { type: "button" }, "Try again");
    retry.addEventListener("click", again);
    box.append(retry);
  }
  close.addEventListener("click", () => box.remove());
  byId("messages").replaceChildren(box);
  box.scrollIntoView({ block: "nearest" });
}

function reason({ detail, index }) {
  return Number.isInteger(index) ? `Picture ${index + 1}: ${detail}` : detail;
}
