// What screen and strip share: elements whose text hides nothing. Text from data only ever becomes a text node.

const SIGNS = {}; // the table of workbench/hidden.json, put here when the scripts are joined
const HIDDEN = new RegExp(SIGNS.patterns.join("|"), "gu");

/** Any value as text in which nothing hides (as `visible` in workbench/html.py); line ends and tabs stay. */
export function visible(text) {
  return String(text).replace(HIDDEN, (said, ...found) => {
    const sign = SIGNS.single[said] ?? SIGNS.signs[found.findIndex((one) => one !== undefined)];
    const code = said.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return sign.replace("{n}", [...said].length).replace("{u}", code);
  });
}

/** The beginning of a text that is too long to be read, and how long it is (as `brief` in views/text.py). */
export function brief(text, most = 120) {
  const letters = [...text];
  return letters.length > most ? `${letters.slice(0, most).join("")}… (${letters.length.toLocaleString("en")} letters)` : text;
}

const there = (value) => value !== null && value !== undefined && value !== false;
const nodes = (children) => children.flat().filter(there).map((child) => (child instanceof Node ? child : visible(child)));

/** An element: attributes (functions become listeners, null and false are left out), then children (strings are text). */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (there(value)) element.setAttribute(name, visible(value));
  }
  element.append(...nodes(children));
  return element;
}

/** Other children for an element; what is null or false is left out, where `replaceChildren` would print the word. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
}
