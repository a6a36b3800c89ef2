// A paged list as a table: rows come as they are asked for, and what is wrong is said above it.

import { get, ServiceProblem, within } from "./api.js";
import { arrange, button, byId, el, rememberFocus } from "./dom.js";
import { clearMessages, showProblem } from "./messages.js";

const WITHIN_MS = 30_000;

export class PagedTable {
  #path;
  #columns;
  #empty;
  #id;
  #followed;
  #parameters = {};
  #cursor = null;
  #body = el("tbody");
  #more;
  #note = el("p", { class: "hint", role: "status" });
  #turn = 0;
  #pages = 0;
  #loadingMore = false;
  #rows = new Map();

  /**
   * @param {{path: string, caption: string, empty: string, id?: string, followed?: boolean, columns: {name: string, cell: function(Object): (Node|string|null|Array), class?: string}[]}} list
   *   `id` names the field that tells items apart; a list that is `followed` says when it no longer is, as more than its first page is shown
   */
  constructor({ path, caption, empty, columns, id = "id", followed = false }) {
    this.#path = path;
    this.#columns = columns;
    this.#empty = empty;
    this.#id = id;
    this.#followed = followed;
    this.#more = button("More", () => this.#loadMore(), { class: "next-page", hidden: true });
    const heads = columns.map(({ name, class: kind }) => el("th", { scope: "col", class: kind ?? "" }, name));
    this.element = el(
      "div",
      { class: "table" },
      el("table", {}, el("caption", { class: "visually-hidden" }, caption), el("thead", {}, el("tr", {}, ...heads)), this.#body),
      this.#note,
      this.#more,
    );
  }

  /** Whether more than the first page is shown, or about to be. */
  get more() {
    return this.#pages > 1 || this.#loadingMore;
  }

  /** Begin anew, with these parameters. */
  async show(parameters = this.#parameters) {
    const same = JSON.stringify(parameters) === JSON.stringify(this.#parameters);
    this.#parameters = parameters;
    // The next page of another list is no page of this one.
    if (!same) this.#more.hidden = true;
    const page = await this.#read(null, () => this.show());
    if (page !== null) {
      this.#pages = 1;
      this.#put(page, []);
    } else if (!same) {
      // Rows that met other conditions are no answer to these.
      this.#body.replaceChildren();
    }
  }

  async #loadMore() {
    if (this.#loadingMore) return;
    this.#loadingMore = true;
    this.#more.setAttribute("aria-disabled", "true");
    try {
      const page = await this.#read(this.#cursor, () => this.#loadMore());
      if (page === null) return;
      this.#pages += 1;
      this.#put(page, [...this.#body.rows]);
    } finally {
      this.#loadingMore = false;
      this.#more.removeAttribute("aria-disabled");
    }
  }

  /** A page of the list; null where it does not come, which is told, or where the list began anew meanwhile. */
  async #read(cursor, again) {
    const turn = (this.#turn += 1);
    try {
      const page = await get(this.#path, { ...this.#parameters, cursor }, within(WITHIN_MS));
      if (turn !== this.#turn) return null;
      clearMessages(this.#path);
      return page;
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      if (turn === this.#turn) showProblem({ ...error, title: error.message, again }, this.#path);
      return null;
    }
  }

  /** Put a page below the rows that stay. A row whose item is as it was stays the same element. */
  #put({ items, next_cursor: cursor }, above) {
    const putBack = rememberFocus();
    const rows = items.map((item) => this.#row(item));
    const known = new Set([...this.#rows.values()].map(({ row }) => row));
    // An item may have moved onto this page while the ones above were looked at; it has one row.
    arrange(this.#body, [...new Set([...above.filter((row) => known.has(row)), ...rows])]);
    putBack();
    for (const [id, { row }] of this.#rows) if (!row.isConnected) this.#rows.delete(id);
    this.#cursor = cursor;
    this.#more.hidden = cursor === null;
    this.#note.textContent = this.#said;
  }

  get #said() {
    if (this.#body.rows.length === 0) return this.#empty;
    return this.#followed && this.#pages > 1 ? "As it was when it was read: a list with older rows is not read anew by itself. Reload the page for that." : "";
  }

  #row(item) {
    const id = item[this.#id];
    const said = JSON.stringify(item);
    const before = this.#rows.get(id);
    if (before?.said === said) return before.row;
    const cells = this.#columns.map(({ cell, class: kind }) => el("td", { class: kind ?? "" }, ...[cell(item)].flat()));
    const row = el("tr", { data: { part: `${this.#path} ${id}` } }, ...cells);
    this.#rows.set(id, { said, row });
    return row;
  }
}

/** Put a page's content below its head. */
export const place = (...nodes) => byId("page").replaceChildren(...nodes);
