// The panel of the pinned word: what it rests on, under which persona, from which memory items.

/** A function that gives the elements of the panel as things stand. */
export function pinnedWord({ strip, ui, add, level, truth, said, tokensOf, pieceOf, markOf, mark }) {
  const said1 = (token) => {
    const one = strip.levels.get("token");
    return blanks(strip.text.slice(one.start[one.group[token]], one.end[one.group[token]]));
  };

  /** Which memory item made this word: a bar each, largest first, and what they leave. */
  function bars(piece) {
    const parts = strip.items.map((item) => [item, add(item)[piece]]).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
    const whole = addUp(strip.memory.whole, level())[piece];
    const rest = whole - parts.reduce((total, [, value]) => total + value, 0);
    const most = Math.max(...parts.map(([, value]) => Math.abs(value)), 1e-9);
    const line = ([item, value]) => h("li", {}, h("span", { class: `wbt-value ${kind(value, most, false)}` }, signed(value)), h("span", { dir: "auto" }, short(strip.memory.items[item.item], 200)));
    return h("div", {}, h("h4", {}, "Memory items"), h("ol", { class: "wbt-bars" }, parts.slice(0, 12).map(line)),
      h("p", { class: "wbt-hint" }, `sum ${signed(whole - rest)} of ${signed(whole)}, rest ${signed(rest)}`));
  }

  return () => {
    const piece = pieceOf(ui.pinned);
    if (piece < 0) return [h("h3", {}, "Pin a word"), h("p", { class: "wbt-hint" }, "Click one, or walk there and press Enter. What it rests on is shown here.")];
    const tokens = tokensOf(piece);
    const sum = (values) => tokens.reduce((total, token) => total + values[token], 0);
    const { start, end } = level();
    const [before, after] = [strip.text.slice(Math.max(0, start[piece] - 30), start[piece]), strip.text.slice(end[piece], end[piece] + 30)];
    const row = (name, ...cells) => h("tr", {}, h("th", { scope: "row" }, name.replaceAll("_", " ")), cells.map((cell) => h("td", {}, cell)));
    const parts = [h("h3", { dir: "auto" }, short(said(piece), 200)), h("p", { class: "wbt-context", dir: "auto" }, "…", before, h("b", {}, short(said(piece))), after, "…")];
    if (strip.given) {
      const [given, bare] = [sum(strip.given.with), sum(strip.given.without)];
      const [times, word] = given >= bare ? [given - bare, "likelier"] : [bare - given, "less likely"];
      parts.push(h("p", {}, `${percent(Math.exp(given))} with the persona, ${percent(Math.exp(bare))} without: `, h("b", {}, `${Number(Math.exp(times).toPrecision(3))} times ${word}`)));
    }
    if (strip.memory) parts.push(bars(piece));
    const other = (one) => strip.against?.scores.find((each) => each.key === one.key);
    const facts = strip.against ? [row("", ...strip.against.names)] : [];
    facts.push(...strip.scores.map((one) => row(one.label, signed(add(one)[piece], 3), ...(other(one) ? [signed(add(other(one))[piece], 3)] : []))));
    if (strip.truth) facts.push(row("planted as personal", truth()[piece] ? "yes" : "no"));
    if (strip.kinds) facts.push(row(strip.kinds.name, [...new Set(tokens.map((token) => strip.kinds.values[token]))].join(", ")));
    parts.push(h("table", {}, h("tbody", {}, facts)));
    if (tokens.length > 1 && tokens.length <= 12)
      parts.push(h("p", { class: "wbt-hint" }, "tokens: ", tokens.map((token) => `${said1(token)} ${signed(strip.scores[0].values[token], 1)}`).join(" · ")));
    if (strip.film) parts.push(h("h4", {}, `${strip.film.name} over training`), spark(strip.film.values.map((values) => sum(values)), ui.step, "score of this word"));
    const now = markOf(piece);
    parts.push(h("div", { class: "wbt-buttons" }, MARKS.map(([key, value, name]) => h("button", { "aria-pressed": String(now === value), "data-mark": key, click: () => mark(piece, value) }, name))));
    return parts;
  };
}
