// The collection that the pages are about: the address says it, and this tab remembers it.

import { all, ROOT, ServiceProblem } from "./api.js";
import { byId, el } from "./dom.js";

const KEY = "clip-senet-collection";
const DEFAULT = "default";

const asked = new URLSearchParams(location.search).get("collection");
if (asked) sessionStorage.setItem(KEY, asked);

/** Name of the collection. */
export const collection = asked || sessionStorage.getItem(KEY) || DEFAULT;

/** The address of this page about another collection. */
export function addressOf(name) {
  const address = new URL(location.href);
  address.search = new URLSearchParams({ collection: name }).toString();
  address.hash = "";
  return address.href;
}

/** The address of the search by an enrolled crop of this collection. */
export function addressOfSearch(crop) {
  const address = new URL(ROOT);
  address.search = new URLSearchParams({ collection, crop }).toString();
  return address.href;
}

/** The address of the dialog that makes a watch for enrolled crops of this collection. */
export function addressOfNewWatch(crops) {
  const address = new URL("console/watches", ROOT);
  address.search = new URLSearchParams([["collection", collection], ...crops.map((crop) => ["crop", crop])]).toString();
  return address.href;
}

/** Offer the collections that the key may use. */
export async function offerCollections() {
  const choice = byId("collection-choice");
  let names = [];
  try {
    names = (await all("collections", { limit: 1000 })).map(({ name }) => name);
  } catch (error) {
    // What keeps the list from being read is told by whatever else the page asks for.
    if (!(error instanceof ServiceProblem)) throw error;
  }
  if (!names.includes(collection)) names.unshift(collection);
  choice.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === collection }, name)));
  choice.addEventListener("change", () => location.assign(addressOf(choice.value)));
}
