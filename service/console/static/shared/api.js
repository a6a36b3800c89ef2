// The calls that the console makes. Addresses are relative to this file, so that it works behind a path prefix.

import { headers } from "./session.js";

/** Where the service is. */
export const ROOT = new URL("../../", import.meta.url);

/** Called where the service asks for a key, or for another one. */
let onUnauthorized = () => {};
/** @param {function({sent: boolean})} listener told whether the request sent something or only read */
export const whenUnauthorized = (listener) => (onUnauthorized = listener);

/** An answer of the service that is no success, or no answer at all. */
export class ServiceProblem extends Error {
  /** @param {{title: string, detail?: string, status?: number, code?: string, errors?: Object[], requestId?: string, retryAfter?: number}} problem */
  constructor(problem) {
    super(problem.title);
    Object.assign(this, problem);
  }
}

async function problemOf(response) {
  const requestId = response.headers.get("X-Request-Id");
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  let body = {};
  try {
    body = await asJson(response);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    // A proxy in between answers HTML; its status is all there is to tell.
  }
  return new ServiceProblem({
    title: body.title ?? `The service answered with status ${response.status}`,
    detail: body.detail,
    status: response.status,
    code: body.code,
    errors: body.errors ?? [],
    requestId: body.request_id ?? requestId,
    retryAfter,
  });
}

/** What the service answers is always an object; whatever else is well-formed comes from something in between. */
async function asJson(response) {
  const answer = await response.json();
  if (answer === null || typeof answer !== "object") throw new TypeError("not an object");
  return answer;
}

export const asBlob = (response) => response.blob();

/** Why nothing came of a request, in words. */
function failure(error, response) {
  if (error.name === "TimeoutError") {
    return { title: "The service does not answer", detail: "No answer came in time. It may be busy, or the network is down." };
  }
  if (response === null) {
    return { title: "The service does not answer", detail: "It may be stopped or restarting, or the network is down." };
  }
  return {
    title: "The answer cannot be read",
    detail: "It was cut off, or something between this page and the service answered in its place. If you sign in somewhere to come here, do so again and reload the page.",
    requestId: response.headers.get("X-Request-Id"),
  };
}

/**
 * Ask the service, and read the answer. Whatever comes to nothing is a ServiceProblem, but what was aborted.
 * @param {string} address
 * @param {RequestInit} [options]
 * @param {function(Response): Promise} [read] what is made of the body
 */
export async function call(address, options = {}, read = asJson) {
  let response = null;
  try {
    response = await fetch(new URL(address, ROOT), { ...options, headers: { ...headers(), ...options.headers } });
    if (response.status === 401) onUnauthorized({ sent: (options.method ?? "GET") !== "GET" });
    if (!response.ok) throw await problemOf(response);
    return await read(response);
  } catch (error) {
    if (error instanceof ServiceProblem || error.name === "AbortError") throw error;
    throw new ServiceProblem({ errors: [], ...failure(error, response) });
  }
}

/** A signal that ends a request after that long: one that never comes back must not look as if nothing were new. */
export const within = (ms) => AbortSignal.timeout(ms);

/** The address of a path with parameters; null and empty ones are left out, lists are repeated. */
export function withParameters(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, one);
    }
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

/** @returns {Promise<Object>} what a GET answers */
export async function get(path, parameters = {}, signal = undefined) {
  return call(withParameters(path, parameters), { signal });
}

/** Send JSON. @returns {Promise<?Object>} the answer; null where it has no body */
export async function send(method, path, body = null, parameters = {}) {
  const options = { method };
  if (body !== null) Object.assign(options, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  return call(withParameters(path, parameters), options, (response) => (response.status === 204 ? null : asJson(response)));
}

/** Every item of a paged list. */
export async function all(path, parameters = {}, signal = undefined) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(path, { ...parameters, cursor }, signal);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}

/** @returns {Promise<{camera_id: string, crops: number}[]>} every camera of a collection */
export const listCameras = (collection, signal) => all("cameras", { collection, limit: 1000 }, signal);

/** @returns {Promise<?{start: string, end: string, counts: number[]}>} pictures by time of capture; null where none has one */
export async function timeline(collection, buckets, signal) {
  const found = await get("timeline", { collection, buckets }, signal);
  return found.start === null ? null : found;
}

/** What a search may ask for, by the names of the API; what is not set is left out. */
const conditions = (query) => ({
  collection: query.collection,
  camera_ids: query.cameras,
  from: query.from,
  to: query.to,
  k: query.k,
  group_by: query.groupBy,
  rerank: query.rerank,
  camera_normalization: query.normalization || null,
  min_score: query.minScore,
  purpose: query.purpose,
});

const isSet = (value) => value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);

/**
 * Search by pictures, or by enrolled crops where the pictures are these.
 * @param {{files: {blob: ?Blob, name: string, crop: ?string}[], camera: string, rejected: string[], cameras: string[], from: ?string,
 *          to: ?string, k: number, groupBy: string, rerank: string, normalization: boolean, minScore: ?number, collection: string,
 *          purpose: string}} query
 */
export async function search(query, signal) {
  const asked = Object.entries(conditions(query)).filter(([, value]) => isSet(value));
  if (query.files.every(({ crop }) => crop)) {
    const body = { crop_ids: query.files.map(({ crop }) => crop), not_crop_ids: query.rejected, ...Object.fromEntries(asked) };
    const options = { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" }, signal };
    return call("search/crop", options);
  }
  const form = new FormData();
  for (const { blob, name } of query.files) form.append("images", blob, name);
  if (query.camera !== "") form.append("camera_id", query.camera);
  for (const [name, value] of asked) {
    for (const one of [value].flat()) form.append(name, one);
  }
  return call("search", { method: "POST", body: form, signal });
}

/** An enrolled crop's picture; `size` bounds its longer side in pixels. */
export async function fetchImage(id, { size = null, signal } = {}) {
  const address = `gallery/${encodeURIComponent(id)}/image`;
  return call(size === null ? address : `${address}?size=${size}`, { signal }, asBlob);
}

/** @returns {Promise<?string>} what keeps the service from being ready, null where nothing does */
export async function unreadiness(signal) {
  try {
    await call("readyz", { signal });
    return null;
  } catch (error) {
    if (!(error instanceof ServiceProblem)) throw error;
    return error.detail ?? error.title;
  }
}
