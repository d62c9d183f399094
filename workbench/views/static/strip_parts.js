// Small parts of the strip: how numbers are said, a slider, a line chart, a table, a file for the reader.

export const HINT = "arrows walk, Page Up and Down to the strong ones, Enter pins, p / n / u mark, Escape lets go";
export const MARKS = [["p", 1, "personal"], ["n", 0, "not personal"], ["u", null, "no mark"]];
export const percent = (share) => (Number.isNaN(share) ? "–" : share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);
export const plain = (value, digits = 2) => (Number.isNaN(value) ? "–" : value.toFixed(digits).replace("-", "−"));
export const short = (text, most = 120) => (text.length > most ? `${text.slice(0, most)}…` : text);

/** A labelled slider that says its value. */
export function slide(name, low, high, step, value, change, tell = (number) => plain(number)) {
  const told = h("output", {}, tell(value));
  const input = h("input", { type: "range", min: low, max: high, step, value, "data-key": name, "aria-valuetext": tell(value), input: () => {
    set(Number(input.value));
    change(Number(input.value));
  } });
  const set = (number) => {
    input.value = number;
    told.textContent = tell(number);
    input.setAttribute("aria-valuetext", tell(number));
  };
  return { element: h("label", { class: "wbt-slide" }, h("span", {}, name), input, told), set };
}

/** A small line chart with the present step marked. */
export function spark(values, now, what) {
  const [low, high, n] = [Math.min(...values), Math.max(...values), Math.max(values.length - 1, 1)];
  const y = (value) => 36 - (32 * (value - low)) / (high - low || 1);
  const make = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag); // a name, not an address
    Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
    return element;
  };
  const chart = make("svg", { viewBox: "0 0 200 40", class: "wbt-spark", role: "img", "aria-label": `${what}: from ${plain(values[0])} to ${plain(values.at(-1))}` });
  chart.append(make("polyline", { points: values.map((value, at) => `${(196 * at) / n + 2},${y(value)}`).join(" ") }), make("circle", { cx: (196 * now) / n + 2, cy: y(values[now]), r: 3 }));
  return chart;
}

/** Records as a table of text. */
export function records(rows) {
  if (!rows.length) return "";
  const names = Object.keys(rows[0]);
  const broken = new Set(names.filter((name) => rows.some((row) => typeof row[name] === "number" && !Number.isInteger(row[name]))));
  const cell = (value, name) => (typeof value === "number" && broken.has(name) ? plain(value) : String(value ?? "–"));
  return h("table", {}, h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows.map((row) => h("tr", {}, names.map((name) => h("td", {}, cell(row[name], name)))))));
}

/** Hand a file to the reader; it never leaves the machine. */
export function keep(name, content, type) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: `${type};charset=utf-8` }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
