// DOM elements from data, and updates that keep existing elements. Text is only ever text: nothing here parses markup.

const SVG = "http://www.w3.org/2000/svg";

/** Creates an element; `attributes` that are null or false are omitted, `style` holds custom properties. */
export function element(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Creates an SVG element. */
export function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") {
      for (const [property, setting] of Object.entries(value)) node.style.setProperty(property, setting);
    } else {
      node.setAttribute(name, value === true ? "" : String(value));
    }
  }
  const isEmpty = (child) => child === null || child === undefined || child === false;
  node.append(...children.flat(Infinity).filter((child) => !isEmpty(child)));
  return node;
}

/** Creates a link to an untrusted URL: only http and https are links, and they send no referrer or opener. */
export function link(url, ...children) {
  const content = children.length ? children : [url];
  if (!/^https?:\/\//i.test(url)) return element("span", { class: "no-link", title: url }, ...content);
  return element("a", { href: url, target: "_blank", rel: "noopener noreferrer", title: url }, ...content);
}

/** Joins items with dots, which are hidden from screen readers. */
export function dotSeparated(items) {
  return items.flatMap((item, index) => [index > 0 && element("span", { "aria-hidden": "true" }, " · "), item]);
}

/**
 * Updates the children of `parent` to match `children` and keeps existing elements where it can, so that focus,
 * selected text, typed text and opened details stay. Children with a `data-key` are matched by it, others by position.
 */
export function render(parent, ...children) {
  const target = element("div", null, ...children);
  reconcile(parent, target);
}

function reconcile(parent, target) {
  const keyed = new Map();
  for (const child of parent.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  let at = parent.firstChild;
  for (const fresh of [...target.childNodes]) {
    const key = fresh.dataset?.key;
    let old = key ? keyed.get(key) : at;
    if (!key && at?.dataset?.key) old = null;
    if (old && isSameElement(old, fresh)) {
      keyed.delete(key);
      if (old !== at) parent.insertBefore(old, at);
      patch(old, fresh);
      at = old.nextSibling;
    } else {
      parent.insertBefore(fresh, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function isSameElement(old, fresh) {
  return old.nodeName === fresh.nodeName && old.dataset?.key === fresh.dataset?.key;
}

function patch(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name); // details stay as the user left them
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) === value) continue;
    if (name === "style") old.style.cssText = fresh.style.cssText; // the page's policy forbids style attributes
    else old.setAttribute(name, value);
  }
  reconcile(old, fresh);
}
