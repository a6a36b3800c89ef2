// One watch: whether it looks, what it found, and what became of the messages to its webhook.

import { get, send, ServiceProblem, within } from "../shared/api.js";
import { button, count, el, integer, rememberFocus } from "../shared/dom.js";
import { ask } from "../shared/forms.js";
import { repeat } from "../shared/live.js";
import { clearMessages, showProblem } from "../shared/messages.js";
import { cropImage } from "../shared/pictures.js";
import { inLocalTime } from "../shared/time.js";
import { Deliveries } from "./deliveries.js";
import { changeWatch, showSecret } from "./form.js";
import { Hits } from "./hits.js";
import { addressOfWatch, conditions, stateMark, thresholdText } from "./said.js";

const THUMBNAIL_PX = 120;
const EVERY_MS = 5_000;
const WITHIN_MS = 8_000;
const MESSAGES = "watch";

export class WatchPage {
  element = el("div");
  #path;
  #head = el("div", { class: "watch-head", data: { part: "watch" } });
  #hits;
  #deliveries;
  #turn = 0;
  #shown = "";

  constructor(id) {
    this.#path = `watches/${id}`;
    this.#hits = new Hits(this.#path, { onNew: () => this.#refresh() });
    this.#deliveries = new Deliveries(this.#path);
    this.element.append(this.#head, this.#hits.element, this.#deliveries.element);
  }

  /** Show the watch, and from then on whatever becomes of it: somebody else may pause it, or its end may come. */
  show() {
    repeat(() => this.#refresh(), EVERY_MS);
  }

  async #refresh() {
    const turn = (this.#turn += 1);
    try {
      const watch = await get(this.#path, {}, within(WITHIN_MS));
      if (turn !== this.#turn) return;
      clearMessages(MESSAGES);
      this.#showHead(watch);
      this.#hits.follow(watch);
      await this.#deliveries.show(watch);
    } catch (error) {
      if (!(error instanceof ServiceProblem)) throw error;
      if (turn !== this.#turn) return;
      this.#hits.doubt(error);
      showProblem({ ...error, title: error.message, again: () => this.#refresh() }, MESSAGES);
    }
  }

  #showHead(watch) {
    const said = JSON.stringify(watch);
    if (said === this.#shown) return;
    this.#shown = said;
    const putBack = rememberFocus();
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
    putBack();
  }

  #actions(watch) {
    const always = [
      button("Change", () => changeWatch(this.#path, () => this.#refresh())),
      button(watch.paused ? "Resume" : "Pause", () => this.#attempt(() => send("PATCH", this.#path, { paused: !watch.paused }))),
      button("Delete", () => this.#delete(watch)),
    ];
    if (watch.webhook_url === null) return always;
    return [...always, button("Try the webhook", () => this.#attempt(() => this.#try())), button("New secret", () => this.#renew())];
  }

  async #attempt(work) {
    clearMessages();
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
