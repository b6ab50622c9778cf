// Elements from data, and old elements made to look like new ones. Text is only ever text: nothing here reads markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; `attributes` that are null or false are left out, `style` holds custom properties. */
export function h(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for a part of a drawing. */
export function svg(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "style") {
      for (const [property, setting] of Object.entries(value)) element.style.setProperty(property, setting);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  const nothing = (child) => child === null || child === undefined || child === false;
  element.append(...children.flat(Infinity).filter((child) => !nothing(child)));
  return element;
}

/** A link to an address that somebody sent: only http and https lead anywhere, and they learn nothing of this page. */
export function link(address, ...children) {
  const shown = children.length ? children : [address];
  if (!/^https?:\/\//i.test(address)) return h("span", { class: "no-link", title: address }, ...shown);
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer", title: address }, ...shown);
}

/** Facts in a row, with dots between them that are for eyes only. */
export function dotted(facts) {
  return facts.flatMap((fact, place) => [place > 0 && h("span", { "aria-hidden": "true" }, " · "), fact]);
}

/**
 * Makes the children of `parent` look like `children` and keeps the elements that it can, so that focus, selected text,
 * what was typed and what was unfolded stay. Children with a `data-key` are matched by it, others by their place.
 */
export function show(parent, ...children) {
  const wanted = h("div", null, ...children);
  reconcile(parent, wanted);
}

function reconcile(parent, wanted) {
  const keyed = new Map();
  for (const child of parent.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  let at = parent.firstChild;
  for (const fresh of [...wanted.childNodes]) {
    const key = fresh.dataset?.key;
    let old = key ? keyed.get(key) : at;
    if (!key && at?.dataset?.key) old = null;
    if (old && alike(old, fresh)) {
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

function alike(old, fresh) {
  return old.nodeName === fresh.nodeName && old.dataset?.key === fresh.dataset?.key;
}

function patch(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name); // who unfolded it keeps it so
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) === value) continue;
    if (name === "style") old.style.cssText = fresh.style.cssText; // an attribute would be against the page's policy
    else old.setAttribute(name, value);
  }
  reconcile(old, fresh);
}
