// One watch: whether it looks, what it found, and what became of the messages to its webhook.

import { get, send, ServiceProblem } from "../shared/api.js";
import { button, count, el, integer } from "../shared/dom.js";
import { ask } from "../shared/forms.js";
import { clearMessages, showProblem } from "../shared/messages.js";
import { cropImage } from "../shared/pictures.js";
import { inLocalTime } from "../shared/time.js";
import { Deliveries } from "./deliveries.js";
import { changeWatch, showSecret } from "./form.js";
import { Hits } from "./hits.js";
import { addressOfWatch, conditions, stateMark, thresholdText } from "./said.js";

const THUMBNAIL_PX = 120;

export class WatchPage {
  element = el("div");
  #path;
  #head = el("div", { class: "watch-head" });
  #hits;
  #deliveries;

  constructor(id) {
    this.#path = `watches/${id}`;
    this.#hits = new Hits(this.#path, { onNew: () => this.#refresh() });
    this.#deliveries = new Deliveries(this.#path);
    this.element.append(this.#head, this.#hits.element, this.#deliveries.element);
  }

  async show() {
    if (await this.#refresh()) this.#hits.follow();
  }

  /** Read the watch again; true where it could be. */
  async #refresh() {
    try {
      const watch = await get(this.#path);
      clearMessages();
      this.#showHead(watch);
      await this.#deliveries.show(watch);
      return true;
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      showProblem({ ...error, title: error.message, again: () => this.show() });
      return false;
    }
  }

  #showHead(watch) {
    const facts = [
      `A hit from ${thresholdText(watch)}`,
      ...conditions(watch),
      watch.exclude_same_track && watch.made_of === "crops" ? "not its own tracks" : null,
      watch.expires_at === null ? null : `until ${inLocalTime(watch.expires_at)}`,
    ].filter(Boolean);
    this.#head.replaceChildren(
      el("h2", {}, watch.name, " ", stateMark(watch)),
      watch.explanation === null ? "" : el("p", { class: "caution" }, watch.explanation),
      el("p", { class: "hint" }, facts.join(" · ")),
      el("p", { class: "hint" }, `Made ${inLocalTime(watch.created_at)}${watch.created_by === null ? "" : ` by ${watch.created_by}`}, ${count(watch.hits, "hit")}, model ${watch.model_id}`),
      el("div", { class: "watched", role: "group", "aria-label": "It looks for" }, ...watch.crop_ids.map((id) => cropImage(id, { size: THUMBNAIL_PX }))),
      el("div", { class: "tools" }, ...this.#actions(watch)),
    );
  }

  #actions(watch) {
    const always = [
      button("Change", () => changeWatch(watch, () => this.#refresh())),
      button(watch.paused ? "Resume" : "Pause", () => this.#attempt(() => send("PATCH", this.#path, { paused: !watch.paused }))),
      button("Delete", () => this.#delete(watch)),
    ];
    if (watch.webhook_url === null) return always;
    return [...always, button("Try the webhook", () => this.#attempt(() => this.#try())), button("New secret", () => this.#renew())];
  }

  async #attempt(work) {
    try {
      await work();
      await this.#refresh();
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      showProblem(error);
    }
  }

  async #try() {
    const { delivered, error, took_ms: took } = await send("POST", `${this.#path}/test`);
    ask({
      title: delivered ? "The receiver has the message" : "The message did not arrive",
      fields: [el("p", {}, delivered ? `It answered within ${integer(Math.ceil(took))} ms.` : error)],
      action: "Good",
      submit: () => {},
      cancel: false,
    });
  }

  #renew() {
    ask({
      title: "Give the webhook a new secret?",
      fields: [el("p", {}, "Messages are signed with both for a day, so that the receiver can be changed meanwhile.")],
      action: "Make it",
      submit: async () => {
        const { webhook_secret: secret } = await send("POST", `${this.#path}/secret`, {});
        showSecret(secret, () => {});
      },
    });
  }

  #delete({ name }) {
    ask({
      title: `Delete “${name}”?`,
      fields: [el("p", {}, "Its hits and their messages are forgotten. No picture is deleted.")],
      action: "Delete it",
      danger: true,
      submit: async () => {
        await send("DELETE", this.#path);
        location.assign(addressOfWatch(null));
      },
    });
  }
}
