// The messages to a watch's webhook: what arrived, what is tried again, and what was given up.

import { send, ServiceProblem } from "../shared/api.js";
import { button, el, integer } from "../shared/dom.js";
import { PagedTable } from "../shared/list.js";
import { showProblem } from "../shared/messages.js";
import { bothClocks } from "../shared/time.js";

const MARKS = { pending: "warn", delivered: "good", dead: "bad" };

export class Deliveries {
  element = el("section", { "aria-labelledby": "deliveries-title", hidden: true });
  #path;
  #only = el("input", { type: "checkbox" });
  #receiver = el("p", { class: "hint" });
  #table;

  constructor(path) {
    this.#path = `${path}/deliveries`;
    this.#table = new PagedTable({
      path: this.#path,
      caption: "Messages to the webhook, newest first",
      empty: "There is no such message.",
      columns: [
        { name: "State", cell: ({ state }) => el("span", { class: `mark ${MARKS[state]}` }, state === "dead" ? "given up" : state) },
        { name: "Attempts", class: "figure", cell: ({ attempts }) => integer(attempts) },
        { name: "Last attempt", class: "when-cell", cell: ({ last_attempt_at: at }) => bothClocks(at) },
        { name: "What came of it", cell: outcome },
        { name: "Next attempt", class: "when-cell", cell: ({ next_attempt_at: at }) => bothClocks(at) },
        { name: "Id", cell: ({ id }) => el("code", {}, id) },
        { name: "Actions", cell: (one) => button("Send again", () => this.#retry(one), { "aria-label": `Send message ${one.id} again` }) },
      ],
    });
    this.#only.addEventListener("change", () => this.#load());
    this.element.append(
      el("h2", { id: "deliveries-title" }, "Webhook"),
      this.#receiver,
      el("div", { class: "tools" }, el("label", { class: "check" }, this.#only, el("span", {}, "Only messages that were given up")), button("Look again", () => this.#load(), { class: "push" })),
      this.#table.element,
    );
  }

  /** Show the messages of a watch as they are now; nothing where it has no webhook. Whoever looks at older ones is left alone. */
  async show({ webhook_url: url, dead_deliveries: dead }) {
    this.element.hidden = url === null;
    if (url === null) return;
    this.#receiver.textContent = dead === 0 ? url : `${url}: ${integer(dead)} given up`;
    if (!this.#table.more) await this.#load();
  }

  #load() {
    return this.#table.show({ state: this.#only.checked ? "dead" : null, limit: 20 });
  }

  async #retry({ id }) {
    try {
      await send("POST", `${this.#path}/${id}/retry`);
      await this.#load();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      showProblem(error);
    }
  }
}

function outcome({ state, last_status: status, last_error: error }) {
  if (error !== null) return error;
  return state === "delivered" ? `The receiver answered ${status}.` : null;
}
