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

/** @returns {Promise<{camera_id: string, crops: number}[]>} every camera of a collection */
export async function listCameras(collection, signal) {
  const cameras = [];
  let cursor = null;
  do {
    const parameters = new URLSearchParams({ limit: "200" });
    if (collection) parameters.set("collection", collection);
    if (cursor) parameters.set("cursor", cursor);
    const page = await (await call(`cameras?${parameters}`, { signal })).json();
    cameras.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return cameras;
}

/** @returns {Promise<?{start: string, end: string, counts: number[]}>} pictures by time of capture; null where none has one */
export async function timeline(collection, buckets, signal) {
  const parameters = new URLSearchParams({ buckets: String(buckets) });
  if (collection) parameters.set("collection", collection);
  const found = await (await call(`timeline?${parameters}`, { signal })).json();
  return found.start === null ? null : found;
}

/**
 * @param {{files: {blob: Blob, name: string}[], camera: string, cameras: string[], from: ?string, to: ?string,
 *          k: number, groupBy: string, minScore: ?number, collection: string, purpose: string}} query
 */
export async function search(query, signal) {
  const form = new FormData();
  for (const { blob, name } of query.files) form.append("images", blob, name);
  const set = (name, value) => value !== null && value !== "" && form.append(name, value);
  set("camera_id", query.camera);
  for (const camera of query.cameras) form.append("camera_ids", camera);
  set("from", query.from);
  set("to", query.to);
  set("k", query.k);
  set("group_by", query.groupBy);
  set("min_score", query.minScore);
  set("collection", query.collection);
  set("purpose", query.purpose);
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
