// Problems in words: what happened, what to do, and the request id to ask an operator about.

import { byId, el } from "./dom.js";

export function clearMessages() {
  byId("messages").replaceChildren();
}

/** @param {{title: string, detail?: string, errors?: Object[], requestId?: string, retryAfter?: number, again?: function()}} problem */
export function showProblem({ title, detail, errors = [], requestId, retryAfter, again }) {
  // The detail often repeats the only reason.
  const reasons = errors.filter((error) => error.detail && !detail?.includes(error.detail)).map((error) => el("li", {}, reason(error)));
  const close = el("button", { type: "button", class: "close", "aria-label": "Dismiss this message" }, "×");
  const box = el(
    "div",
    { class: "message" },
    close,
    el("strong", {}, title),
    detail ? el("p", {}, detail) : null,
    reasons.length > 0 ? el("ul", {}, ...reasons) : null,
    retryAfter ? el("p", {}, `Try again in ${retryAfter} s.`) : null,
    requestId ? el("p", { class: "request" }, "Request ", el("code", {}, requestId)) : null,
  );
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
