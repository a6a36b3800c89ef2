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

const CONTROLS = "a[href], button, input, select, textarea, summary";

/**
 * Remember where the focus is. The function that is answered puts it back where it was taken away meanwhile: onto the same
 * control of the part (`data-part`) that has come in place of the old one, or else onto the content.
 */
export function rememberFocus() {
  const focused = document.activeElement;
  const part = focused?.closest("[data-part]");
  const at = part ? [...part.querySelectorAll(CONTROLS)].indexOf(focused) : -1;
  return () => {
    if (focused === null || focused === document.body) return;
    if (focused.isConnected) {
      if (document.activeElement === document.body) focused.focus();
      return;
    }
    const now = part && document.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
    const controls = now ? [...now.querySelectorAll(CONTROLS)] : [];
    (controls[at] ?? controls[0] ?? byId("content")).focus();
  };
}

/** Make these the children of an element. Those that stay are not moved, so that they keep the focus and what is chosen in them. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}

export const byId = (id) => document.getElementById(id);

const integers = new Intl.NumberFormat("en");

export const count = (number, one, many = `${one}s`) => `${integers.format(number)} ${number === 1 ? one : many}`;

export const integer = (number) => integers.format(number);
