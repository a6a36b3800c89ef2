// Elements out of plain values. Text is always set as text, never parsed as HTML: names, ids and reasons come from others.

/**
 * @param {string} tag
 * @param {Object} [properties] set on the element; `class`, `data` and names with a dash or starting with aria as attributes
 * @param {...(Node|string|null)} children
 */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** An element of SVG; all properties are attributes. */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A button that does something. */
export function button(text, action, properties = {}) {
  const made = el("button", { type: "button", ...properties }, text);
  made.addEventListener("click", action);
  return made;
}

export const byId = (id) => document.getElementById(id);

const integers = new Intl.NumberFormat("en");

export const count = (number, one, many = `${one}s`) => `${integers.format(number)} ${number === 1 ? one : many}`;

export const integer = (number) => integers.format(number);
