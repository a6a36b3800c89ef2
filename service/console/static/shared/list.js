// A paged list as a table: rows come as they are asked for, and what is wrong is said above it.

import { get, ServiceProblem, within } from "./api.js";
import { button, byId, el } from "./dom.js";
import { clearMessages, showProblem } from "./messages.js";

const WITHIN_MS = 30_000;

export class PagedTable {
  #path;
  #columns;
  #empty;
  #parameters = {};
  #cursor = null;
  #body = el("tbody");
  #more;
  #note = el("p", { class: "hint", role: "status" });
  #turn = 0;
  #pages = 0;

  /**
   * @param {{path: string, caption: string, empty: string, columns: {name: string, cell: function(Object): (Node|string|null|Array), class?: string}[]}} list
   */
  constructor({ path, caption, empty, columns }) {
    this.#path = path;
    this.#columns = columns;
    this.#empty = empty;
    this.#more = button("More", () => this.#load(), { class: "next-page", hidden: true });
    const heads = columns.map(({ name, class: kind }) => el("th", { scope: "col", class: kind ?? "" }, name));
    this.element = el(
      "div",
      { class: "table" },
      el("table", {}, el("caption", { class: "visually-hidden" }, caption), el("thead", {}, el("tr", {}, ...heads)), this.#body),
      this.#note,
      this.#more,
    );
  }

  /** Whether more than the first page is shown. */
  get more() {
    return this.#pages > 1;
  }

  /** Begin anew, with these parameters. */
  async show(parameters = this.#parameters) {
    this.#parameters = parameters;
    this.#cursor = null;
    await this.#load(true);
  }

  async #load(fresh = false) {
    const turn = (this.#turn += 1);
    try {
      const page = await get(this.#path, { ...this.#parameters, cursor: this.#cursor }, within(WITHIN_MS));
      if (turn !== this.#turn) return;
      clearMessages();
      const rows = page.items.map((item) => this.#row(item));
      if (fresh) this.#body.replaceChildren(...rows);
      else this.#body.append(...rows);
      this.#pages = fresh ? 1 : this.#pages + 1;
      this.#cursor = page.next_cursor;
      this.#more.hidden = this.#cursor === null;
      this.#note.textContent = this.#body.rows.length === 0 ? this.#empty : "";
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      if (turn !== this.#turn) return;
      if (fresh) this.#body.replaceChildren();
      showProblem({ ...error, title: error.message, again: () => this.#load(fresh) });
    }
  }

  #row(item) {
    const cells = this.#columns.map(({ cell, class: kind }) => el("td", { class: kind ?? "" }, ...[cell(item)].flat()));
    return el("tr", {}, ...cells);
  }
}

/** Put a page's content below its head. */
export const place = (...nodes) => byId("page").replaceChildren(...nodes);
