// The calls that the console makes. Addresses are relative to this file, so that it works behind a path prefix.

import { headers } from "./session.js";

/** Where the service is. */
export const ROOT = new URL("../../", import.meta.url);

/** Called where the service asks for a key, or for another one. */
let onUnauthorized = () => {};
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
    body = await response.json();
  } catch {
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

export async function call(address, options = {}) {
  let response;
  try {
    response = await fetch(new URL(address, ROOT), { ...options, headers: { ...headers(), ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceProblem({
      title: "The service does not answer",
      detail: "It may be stopped or restarting, or the network is down.",
      errors: [],
    });
  }
  if (response.status === 401) onUnauthorized();
  if (!response.ok) throw await problemOf(response);
  return response;
}

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
  return (await call(withParameters(path, parameters), { signal })).json();
}

/** Send JSON. @returns {Promise<?Object>} the answer; null where it has no body */
export async function send(method, path, body = null, parameters = {}) {
  const options = { method };
  if (body !== null) Object.assign(options, { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const response = await call(withParameters(path, parameters), options);
  return response.status === 204 ? null : response.json();
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
    return (await call("search/crop", options)).json();
  }
  const form = new FormData();
  for (const { blob, name } of query.files) form.append("images", blob, name);
  if (query.camera !== "") form.append("camera_id", query.camera);
  for (const [name, value] of asked) {
    for (const one of [value].flat()) form.append(name, one);
  }
  return (await call("search", { method: "POST", body: form, signal })).json();
}

/** An enrolled crop's picture; `size` bounds its longer side in pixels. */
export async function fetchImage(id, { size = null, signal } = {}) {
  const address = `gallery/${encodeURIComponent(id)}/image`;
  return (await call(size === null ? address : `${address}?size=${size}`, { signal })).blob();
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
