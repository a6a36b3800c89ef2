// Pictures of enrolled crops. They are fetched, because an address in an element carries no key.

import { fetchImage } from "./api.js";
import { el } from "./dom.js";

const waiting = new WeakMap();

const seen = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      waiting.get(target)();
      waiting.delete(target);
    }
  },
  { rootMargin: "400px" },
);

/**
 * An image element that loads when it comes near the screen, and says so where it cannot.
 * @param {string} id of the crop
 * @param {{size?: ?number, alt?: string, class?: string}} [options] `size` bounds the longer side in pixels
 */
export function cropImage(id, { size = null, alt = "", class: kind = "" } = {}) {
  const image = el("img", { alt, class: kind, decoding: "async" });
  waiting.set(image, () => load(image, id, size));
  seen.observe(image);
  return image;
}

async function load(image, id, size) {
  const instead = (text) => image.replaceWith(el("span", { class: "no-preview" }, text));
  try {
    const address = URL.createObjectURL(await fetchImage(id, { size }));
    image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    image.addEventListener("error", () => instead("The picture does not load"), { once: true });
    image.src = address;
  } catch (error) {
    instead(error.code === "no_image" ? "No picture is kept" : "The picture does not load");
  }
}
