// What a visit carries with every request: the key, and why the person looks. Kept in this tab only, until it is closed.

const KEY = "clip-senet-key";
const PURPOSE = "clip-senet-purpose";

export const session = {
  get key() {
    return sessionStorage.getItem(KEY) ?? "";
  },
  get purpose() {
    return sessionStorage.getItem(PURPOSE) ?? "";
  },
  keep({ key, purpose }) {
    sessionStorage.setItem(KEY, key);
    sessionStorage.setItem(PURPOSE, purpose);
  },
};

/** Headers of every request. A header holds Latin-1 only, so the purpose is percent-encoded where it must be. */
export function headers() {
  const made = {};
  if (session.key !== "") made["X-API-Key"] = session.key;
  if (session.purpose !== "") made["X-Purpose"] = encodeURIComponent(session.purpose);
  return made;
}
