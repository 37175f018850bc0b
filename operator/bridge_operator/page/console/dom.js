// Small tools for the page. Text only ever goes in as text.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svgElement(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// A sign with words for those who do not see it, where no words stand beside it.
export function sign(level, label = "") {
  const use = svgElement("use", { href: `#sign-${level}` });
  return svgElement("svg", label ? { class: "sign", role: "img", "aria-label": label } : { class: "sign", "aria-hidden": "true" }, use);
}

export function setSign(svg, level) {
  setAttribute(svg.querySelector("use"), "href", `#sign-${level}`);
}

// What has not changed is left alone: screen readers would read it again, and selections would be lost.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// Children that are made and updated by key, in the order of `items`, and removed with their item. Items of the same
// key are told apart by their order.
export function keep(parent, items, keyOf, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const repeats = new Map();
  let before = null;
  for (const item of items) {
    const repeat = repeats.get(keyOf(item)) ?? 0;
    repeats.set(keyOf(item), repeat + 1);
    const key = `${keyOf(item)} ${repeat}`;
    let child = known.get(key);
    if (child) known.delete(key);
    else {
      child = make(item);
      child.dataset.key = key;
    }
    const place = before ? before.nextSibling : parent.firstChild;
    if (place !== child) parent.insertBefore(child, place);
    update(child, item);
    before = child;
  }
  for (const child of known.values()) child.remove();
}
