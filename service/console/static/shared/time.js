// The service speaks UTC; people read their own clock. Both are shown.

import { el } from "./dom.js";

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** "UTC+02:00" for the offset that the user's zone has at a given moment. */
function offset(date) {
  const minutes = -date.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const two = (value) => String(Math.floor(Math.abs(value))).padStart(2, "0");
  return `UTC${minutes < 0 ? "−" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
}

export const zoneName = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

export const inLocalTime = (iso) => local.format(new Date(iso));

/** "2026-11-04 17:03:22 UTC", with the fraction where there is one. */
export const inUtc = (iso) => `${new Date(iso).toISOString().replace("T", " ").replace(/(\.000)?Z$/, "")} UTC`;

/** RFC 3339 in UTC for the value of a datetime-local input; null where it is empty. */
export function utcOfInput(value) {
  if (value === "") return null;
  return new Date(value).toISOString().replace(/\.000Z$/, "Z");
}

/** The value that a datetime-local input has for a time: whole seconds on the user's clock. */
export function inputOfTime(date) {
  const two = (value) => String(value).padStart(2, "0");
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** The first such value that is no earlier than a time: for the end of a window, which is not part of it. */
export function inputNotBefore(date) {
  const time = new Date(Math.ceil(date.getTime() / 1000) * 1000);
  // An hour that the clock shows twice is read as the first of the two; what stands for a time in the second comes after both.
  while (new Date(inputOfTime(time)) < date) time.setTime(time.getTime() + 900_000);
  return inputOfTime(time);
}

/** One sentence about what is sent for the two inputs. */
export function zoneSentence(from, to) {
  const zone = zoneName();
  if (from === null && to === null) return `In your time zone, ${zone} (${offset(new Date())}). Sent as UTC.`;
  const sent = [from && `from ${inUtc(from)}`, to && `to ${inUtc(to)}`].filter(Boolean).join(" ");
  const offsets = [...new Set([from, to].filter(Boolean).map((iso) => offset(new Date(iso))))].join(", ");
  return `In your time zone, ${zone} (${offsets}). Sent as ${sent}.`;
}

/** Both clocks of a time, in a cell of a table. */
export function bothClocks(iso) {
  if (iso === null) return null;
  return [el("time", { dateTime: iso }, inLocalTime(iso)), el("span", { class: "utc" }, inUtc(iso))];
}

/** "3 min 20 s" for a number of seconds. */
export function duration(seconds) {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3600)} h`;
}
