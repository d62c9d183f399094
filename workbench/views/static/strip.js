// The live token strip: one text, a score on every word, and the questions one asks of it, each behind a tab.
// Joined behind strip_values.js and strip_text.js into one module; the same code runs in JupyterLab and in an exported
// file. Text from data only ever becomes a text node: nothing in these files parses a string as HTML.

const HINT = "arrows walk, Page Up and Down to the strong ones, Enter pins, p / n / u mark, Escape lets go";
const MARKS = [["p", 1, "personal"], ["n", 0, "not personal"], ["u", null, "no mark"]];
const CENTRED = /pir|difference|cxmi|gain/i; // these scores have a meaningful 0 in the middle even if none is negative
const percent = (share) => (Number.isNaN(share) ? "–" : share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`);
const plain = (value, digits = 2) => (Number.isNaN(value) ? "–" : value.toFixed(digits).replace("-", "−"));
const short = (text, most = 120) => (text.length > most ? `${text.slice(0, most)}…` : text);

/** Draw a strip into `root`. `hooks` speak to Python: marks(list), pin(span), save(kind); null in an exported file. */
export function draw(root, state, hooks) {
  const strip = unpack(state);
  const layers = [...strip.scores, ...(strip.items || [])];
  const ui = {
    tab: "read", level: state.level, layer: strip.scores[0], look: "colour", numbers: true, fold: false, open: new Set(), range: null,
    here: 0, pinned: null, step: 0, m: state.clip[0], M: state.clip[1], cut: state.threshold, version: 0, marks: new Map(), answer: null,
  };
  const sums = new WeakMap(); // values -> level name -> one number a piece
  const level = () => strip.levels.get(ui.level);
  const add = (layer, name = ui.level) => {
    const known = sums.get(layer.values) || sums.set(layer.values, {}).get(layer.values);
    return (known[name] ??= addUp(layer.values, strip.levels.get(name), layer.mean));
  };
  const firsts = {};
  const tokenOf = (piece) => (firsts[ui.level] ??= firstTokens(level()))[piece];
  const pieceOf = (token) => (token === null ? -1 : level().group[token]);
  const truths = {};
  const truth = (name = ui.level) => strip.truth && (truths[name] ??= addUp(strip.truth, strip.levels.get(name)).map((n) => Number(n > 0)));
  const said = (piece) => blanks(strip.text.slice(level().start[piece], level().end[piece]));
  const pir = strip.scores.find((one) => one.key === "pir");

  // --- what is looked at: one view a pane ---------------------------------------------------------------------------

  const view = (label, values, range, more) => ({ label, values, range, base: 0, sequential: false, ...more });
  const rises = (layer) => !("item" in layer) && !CENTRED.test(layer.key) && layer.values.every((value) => !(value < 0));
  const rangeOf = (layer) => ui.range || ("item" in layer ? robustRange(...strip.items.map((one) => add(one)))
    : layer.key === state.score && state.scale ? state.scale : robustRange(add(layer)));
  const usual = () => [view(ui.layer.label, add(ui.layer), rangeOf(ui.layer), { sequential: rises(ui.layer), unit: "nats" })];

  const tabs = [
    { key: "read", label: "Read", build: () => ({ element: h("p", { class: "wbt-hint" }, HINT), views: usual }) },
    strip.against && { key: "compare", label: "Two personas", build: compareTab },
    strip.memory && { key: "memory", label: "Memories", build: memoryTab },
    pir && strip.given && { key: "clip", label: "Clip m, M", build: clipTab },
    strip.truth && { key: "truth", label: "Truth", build: truthTab },
    { key: "marks", label: "My marks", build: marksTab },
    strip.film && { key: "film", label: "Training", build: filmTab },
  ].filter(Boolean);

  function compareTab() {
    const line = h("p", { class: "wbt-line" });
    const pair = () => {
      const layer = strip.scores.includes(ui.layer) ? ui.layer : strip.scores[0];
      const other = strip.against.scores.find((one) => one.key === layer.key) || strip.against.scores[0];
      return [add(layer), add(other), layer.key];
    };
    const views = () => {
      const [one, other, name] = pair();
      const gap = one.map((value, at) => value - other[at]);
      const range = ui.range || robustRange(one, other);
      return [view(`${name}, ${strip.against.names[0]}`, one, range), view(`${name}, ${strip.against.names[1]}`, other, range), view("difference", gap, range)];
    };
    const update = () => {
      const gap = views()[2].values;
      line.textContent = "furthest apart: " + strongest(gap, 5).map((piece) => `${short(said(piece), 20).trim()} ${signed(gap[piece])}`).join(", ");
    };
    return { element: line, views, update };
  }

  function memoryTab() {
    const [rows, check, told] = [h("tbody"), h("p", { class: "wbt-line", role: "status" }), h("p", { class: "wbt-line" })];
    const items = strip.items;
    const choose = (layer) => () => {
      ui.layer = ui.layer === layer ? strip.scores[0] : layer;
      fields.score.value = ui.layer.key;
      refresh();
    };
    const heads = items.map((item) => h("th", { scope: "col" }, h("button", { title: item.label, "aria-label": `colour the text by ${item.label}`, click: choose(item), "data-item": item.item }, String(item.item))));
    const head = h("tr", {}, h("th", { scope: "col" }, ui.level), ...heads, ...["sum", state.score, "rest"].map((name) => h("th", { scope: "col" }, name)));
    const update = () => {
      const whole = addUp(strip.memory.whole, level());
      const parts = items.map((item) => add(item));
      const range = ui.range || robustRange(...parts);
      const order = strongest(whole, 40).sort((a, b) => a - b);
      head.firstChild.textContent = ui.level;
      fill(rows, ...order.map((piece) => {
        const sum = parts.reduce((total, part) => total + part[piece], 0);
        const cell = (value, kind = "") => h("td", { class: kind }, signed(value));
        return h("tr", { "data-p": piece, tabindex: "0", "aria-selected": String(piece === pieceOf(ui.pinned)) },
          h("th", { scope: "row", dir: "auto" }, short(said(piece), 40)),
          ...parts.map((part) => cell(part[piece], kind(part[piece], range, false))), cell(sum, "wbt-sum"), cell(whole[piece], "wbt-sum"), cell(whole[piece] - sum));
      }));
      for (const button of head.querySelectorAll("button")) button.setAttribute("aria-pressed", String(ui.layer.item === Number(button.dataset.item)));
      const worst = strip.memory.whole.reduce((most, value, token) => Math.max(most, Math.abs(value - items.reduce((total, item) => total + item.values[token], 0))), 0);
      check.textContent = `Sum check over ${state.tokens} tokens: ${worst <= 1e-3 ? "✓ adds up" : "✗ does not add up, see “rest”"} (largest gap ${worst.toFixed(4)}).`;
      told.textContent = ui.layer.item === undefined ? "Press a number to colour the text by that memory item; press a row to pin the word." : ui.layer.label;
    };
    const pinRow = (event) => {
      const row = event.target.closest("tr[data-p]");
      if (row && (event.type === "click" || event.key === "Enter")) pin(tokenOf(Number(row.dataset.p)), true);
    };
    const table = h("div", { class: "wbt-map" }, h("table", { click: pinRow, keydown: pinRow }, h("thead", {}, head), rows));
    return { element: h("div", {}, check, told), beside: table, views: usual, update };
  }

  function clipTab() {
    const line = h("p", { class: "wbt-line", role: "status" });
    const slider = (name, most) => slide(name, 0, most, 0.05, ui[name], (value) => {
      ui[name] = value;
      if (ui.m > ui.M) ui[name === "m" ? "M" : "m"] = value;
      low.set(ui.m);
      high.set(ui.M);
      refresh();
    });
    const [low, high] = [slider("m", 3), slider("M", 10)];
    const update = () => {
      const seen = lens(pir.values, strip.given.with, ui.m, ui.M);
      line.textContent = `Up-weighted: ${percent(seen.share)} of ${state.tokens} tokens (${percent(seen.capped)} at M). Mean weight ${plain(seen.mean)}. ` +
        `Share of the loss on them: ${percent(seen.loss)}, unweighted ${percent(seen.plain)}.`;
    };
    const views = () => {
      const most = new Float64Array(level().start.length); // of a word the largest weight: a mean would hide it
      pir.values.forEach((value, token) => {
        const piece = level().group[token];
        if (piece >= 0) most[piece] = Math.max(most[piece], Math.min(Math.max(value, ui.m), ui.M) - ui.m);
      });
      return [view(`largest weight clip(PIR, m, M) in the ${ui.level}`, most, Math.max(ui.M - ui.m, 1e-9), { sequential: true, base: ui.m })];
    };
    return { element: h("div", { class: "wbt-tools" }, low.element, high.element, line), views, update };
  }

  function truthTab() {
    const line = h("p", { class: "wbt-line", role: "status" });
    const values = add(ui.layer);
    const most = Math.max(...Array.from(values).filter(Number.isFinite), 1);
    const cut = slide("threshold", Math.min(0, ...Array.from(values).filter(Number.isFinite)), most, most / 200, ui.cut, (value) => {
      ui.cut = value;
      refresh();
    });
    const verdict = (value, planted) => (value >= ui.cut ? (planted ? ["wbt-found", "✓", "found"] : ["wbt-false", "✗", "false high"]) : planted ? ["wbt-missed", "○", "missed"] : null);
    const views = () => usual().map((one) => ({ ...one, verdict: (piece) => verdict(one.values[piece], truth()[piece]) }));
    const update = () => {
      const [now, planted] = [add(ui.layer), truth()];
      const seen = confusion(now, planted, ui.cut);
      line.textContent = `✓ ${seen.found} found, ✗ ${seen.false} false high, ○ ${seen.missed} missed. Precision ${plain(seen.precision)}, recall ${plain(seen.recall)}; AUC ${plain(auc(now, planted))} (at any threshold).`;
    };
    return { element: h("div", { class: "wbt-tools" }, cut.element, line), views, update };
  }

  function marksTab() {
    const [line, answer] = [h("p", { class: "wbt-line", role: "status" }), h("div", { class: "wbt-answer" })];
    const views = () => usual().map((one) => ({ ...one, verdict: (piece) => ({ 1: ["wbt-mine", "p", "marked personal"], 0: ["wbt-notmine", "n", "marked not personal"] })[markOf(piece)] }));
    const update = () => {
      const kinds = [...ui.marks.values()];
      const [yes, no] = [kinds.filter(Boolean).length, kinds.filter((one) => !one).length];
      line.textContent = kinds.length ? `Marked: ${yes} personal, ${no} not personal. ` + (no ? "Only marked words count." : "Words without a mark count as not personal.")
        : "Click a word, or press p (personal), n (not personal), u (no mark) on it. The scores are then measured against your marks.";
      fill(answer, records(hooks ? ui.answer || [] : scoreMarks()));
    };
    return { element: h("div", {}, line, answer), views, update };
  }

  function filmTab() {
    const { steps, values, name } = strip.film;
    const films = values.map((part, at) => ({ key: `step ${at}`, mean: false, values: part }));
    const [line, chart] = [h("p", { class: "wbt-line", role: "status" }), h("div", { class: "wbt-chart" })];
    let timer = null;
    const stop = () => {
      clearInterval(timer);
      timer = null;
      play.textContent = "▶ play";
    };
    const go = (step) => {
      ui.step = step;
      at.set(step);
      refresh();
    };
    const play = h("button", { "data-key": "play", click: () => {
      if (timer) return stop();
      if (ui.step === steps.length - 1) go(0);
      play.textContent = "■ stop";
      timer = setInterval(() => (ui.step < steps.length - 1 ? go(ui.step + 1) : stop()), 500);
    } }, "▶ play");
    const at = slide("step", 0, steps.length - 1, 1, ui.step, (value) => go(value), (value) => String(steps[value]));
    const views = () => [view(`${name} at step ${steps[ui.step]}`, add(films[ui.step]), ui.range || robustRange(...films.map((film) => add(film))))];
    const update = () => {
      const planted = truth();
      const curve = planted ? films.map((film) => auc(add(film), planted)) : films.map((film) => robustRange(add(film)));
      const what = planted ? "AUC against the planted truth" : "98 % quantile of the size";
      line.textContent = `Step ${steps[ui.step]}: ${what} ${plain(curve[ui.step])}; first ${plain(curve[0])}, last ${plain(curve.at(-1))}.`;
      fill(chart, spark(curve, ui.step, what));
    };
    return { element: h("div", { class: "wbt-tools" }, play, at.element, line, chart), views, update, close: stop };
  }

  // --- marks --------------------------------------------------------------------------------------------------------

  const tokensOf = (piece) => {
    const found = [];
    for (let token = Math.max(0, tokenOf(piece)); token < state.tokens && (level().group[token] === piece || !found.length); token++) if (level().group[token] === piece) found.push(token);
    return found;
  };
  const markOf = (piece) => {
    const kinds = tokensOf(piece).map((token) => ui.marks.get(token));
    return kinds.includes(1) ? 1 : kinds.includes(0) ? 0 : null;
  };
  function mark(piece, kind) {
    for (const token of tokensOf(piece)) kind === null ? ui.marks.delete(token) : ui.marks.set(token, kind);
    if (hooks) hooks.marks([...ui.marks].sort((a, b) => a[0] - b[0]));
    refresh();
    announce(`${said(piece)}: ${MARKS.find((one) => one[1] === kind)[2]}`);
  }
  /** AUC of every score against the marks, over words (as score_marks in Python, which answers in JupyterLab). */
  function scoreMarks() {
    const words = strip.levels.has("word") ? "word" : "token";
    const kinds = [...ui.marks.values()];
    if (!kinds.length) return [];
    const [yes, no] = [1, 0].map((kind) => addUp(Float32Array.from({ length: state.tokens }, (_, token) => Number(ui.marks.get(token) === kind)), strip.levels.get(words)));
    const counted = Array.from(yes.keys()).filter((piece) => yes[piece] || no[piece] || !kinds.includes(0));
    const marked = counted.map((piece) => Number(yes[piece] > 0));
    return strip.scores.map((one) => ({ score: one.label, auc: auc(counted.map((piece) => add(one, words)[piece]), marked), words: counted.length, personal: marked.reduce((a, b) => a + b, 0) }));
  }

  // --- pieces, pins and keys ----------------------------------------------------------------------------------------

  const kind = (value, range, sequential) => {
    const size = bin(value, range);
    return size ? `${sequential ? "s" : value > 0 ? "p" : "n"} k${size}` : "";
  };
  const past = (value, range) => (Math.abs(value) > range * (1 + 1e-6) ? (value > 0 ? "▲" : "▼") : "");
  const strongFrom = (one) => (one.sequential ? one.range / 2 : ui.cut); // the threshold is in the unit of PIR
  const lookOf = (one) => (piece) => {
    const value = one.values[piece];
    const verdict = one.verdict && one.verdict(piece);
    const over = past(value, one.range);
    const shown = one.base + value;
    const number = ui.numbers && (one.base ? value > 0 : Math.abs(value) >= strongFrom(one)) && (one.sequential ? plain(shown, 1) : signed(value, 1));
    const words = [said(piece), `${one.label} ${one.sequential ? plain(shown) : signed(value)}`];
    if (CENTRED.test(one.label) && value) words.push(value > 0 ? "likelier with the persona" : "less likely with the persona");
    if (over) words.push("beyond the colours");
    if (truth() && truth()[piece]) words.push("planted as personal");
    if (verdict) words.push(verdict[2]);
    const classes = [kind(value, one.range, one.sequential), verdict && verdict[0], truth() && truth()[piece] && "wbt-planted", pieceOf(ui.pinned) === piece && "wbt-pinned"];
    return { kind: classes.filter(Boolean).join(" "), label: words.join(", "), number: (number || "") + over, mark: verdict && verdict[1], pinned: pieceOf(ui.pinned) === piece };
  };

  function pin(token, show) {
    ui.pinned = ui.pinned !== null && pieceOf(token) === pieceOf(ui.pinned) && !show ? null : token;
    if (hooks) hooks.pin(ui.pinned === null ? null : pieceOf(ui.pinned) < 0 ? null : span(pieceOf(ui.pinned)));
    refresh();
    if (show) walk(pieceOf(token), panes[0], false);
  }
  const span = (piece) => [level().from[piece], level().to[piece]];

  function walk(piece, pane, focus = true) {
    const last = level().start.length - 1;
    piece = Math.min(Math.max(piece, 0), last);
    ui.here = tokenOf(piece);
    let element = pane.at(piece);
    if (!element && pane.folds) {
      ui.open.add(pane.folds.of[piece]);
      refresh();
      element = pane.at(piece);
    }
    if (!element) return;
    root.querySelectorAll(".wbt-here").forEach((one) => one.classList.remove("wbt-here"));
    element.classList.add("wbt-here");
    pane.element.setAttribute("aria-activedescendant", element.id);
    element.scrollIntoView({ block: "nearest" });
    if (focus) hint(element, pane, piece);
  }

  function keys(event) {
    const pane = panes.find((one) => one.element === event.currentTarget);
    const piece = Math.max(pieceOf(ui.here), 0);
    const values = pane.view.values;
    const jump = (step) => {
      let next = piece + step;
      while (next > 0 && next < values.length - 1 && !(Math.abs(values[next]) >= strongFrom(pane.view))) next += step;
      return next;
    };
    const to = { ArrowRight: () => piece + 1, ArrowLeft: () => piece - 1, Home: () => 0, End: () => values.length - 1, PageDown: () => jump(1), PageUp: () => jump(-1),
      ArrowDown: () => pane.line(piece, 1), ArrowUp: () => pane.line(piece, -1) }[event.key];
    const chosen = MARKS.find((one) => one[0] === event.key);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (to) walk(to(), pane);
    else if (event.key === "Enter" || event.key === " ") pin(tokenOf(piece));
    else if (event.key === "Escape") letGo();
    else if (chosen) mark(piece, chosen[1]);
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (!to && event.key !== "Escape") walk(piece, pane);
  }
  function letGo() {
    tip.hidden = true;
    if (ui.pinned !== null) pin(ui.pinned);
  }

  function pointed(event) {
    const element = event.target.closest(".wbt-w");
    const pane = element && panes.find((one) => one.element.contains(element));
    if (!pane) tip.hidden = true;
    else hint(element, pane, Number(element.dataset.p));
  }
  function clicked(event) {
    const fold = event.target.closest(".wbt-fold");
    const element = event.target.closest(".wbt-w");
    if (fold) {
      ui.open.add(Number(fold.dataset.fold));
      refresh();
    } else if (element) {
      const piece = Number(element.dataset.p);
      ui.here = tokenOf(piece);
      if (ui.tab === "marks") mark(piece, { null: 1, 1: 0, 0: null }[markOf(piece)]);
      else pin(tokenOf(piece));
    }
  }

  /** The value beside the word, and the same word lit in the other panes. */
  function hint(element, pane, piece) {
    const one = pane.view;
    const value = one.values[piece];
    root.querySelectorAll(".wbt-lit").forEach((lit) => lit.classList.remove("wbt-lit"));
    for (const other of panes) if (other !== pane) other.element.querySelector(`[data-p="${piece}"]`)?.classList.add("wbt-lit");
    const more = panes.length > 1 ? panes.map((each) => signed(each.view.values[piece])).join(" · ") : one.sequential ? plain(one.base + value, 3) : signed(value, 3);
    fill(tip, h("b", {}, more), ` ${short(said(piece), 40)}`);
    const [box, frame] = [element.getClientRects()[0], root.getBoundingClientRect()];
    if (!box) return;
    tip.hidden = false;
    tip.style.left = `${Math.max(0, Math.min(box.left - frame.left, frame.width - tip.offsetWidth - 8))}px`;
    tip.style.top = `${box.top - frame.top - tip.offsetHeight - 4}px`;
  }

  // --- the pinned word ----------------------------------------------------------------------------------------------

  function detail() {
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
  }
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

  // --- the frame ----------------------------------------------------------------------------------------------------

  const id = state.id;
  const [bar, stage, tool, side] = [h("div", { class: "wbt-scale" }), h("div", { class: "wbt-stage" }), h("div", { class: "wbt-tool", role: "tabpanel" }), h("aside", { class: "wbt-detail", "aria-label": "The pinned word" })];
  const mini = h("canvas", { class: "wbt-mini", width: 24, height: 400, title: "the whole text; click to go there", click: toPlace });
  const tip = h("div", { class: "wbt-tip", role: "tooltip", hidden: "" });
  const status = h("div", { class: "wbt-status", role: "status", "aria-live": "polite" });
  const announce = (text) => (status.textContent = text);
  const field = (label, element) => h("label", {}, h("span", {}, label), " ", element);
  const choice = (options, value, change) => {
    const element = h("select", { change: () => change(element.value) }, options.map(([key, text]) => h("option", { value: key, selected: key === value ? "" : null }, text)));
    return element;
  };
  const tick = (label, key) => h("label", {}, h("input", { type: "checkbox", checked: ui[key] ? "" : null, "data-key": key, change: (event) => set({ [key]: event.target.checked, open: new Set() }) }), ` ${label}`);
  const set = (more) => {
    Object.assign(ui, more);
    refresh();
  };
  const fields = {
    score: choice(layers.map((one) => [one.key, short(one.label, 60)]), ui.layer.key, (key) => set({ layer: layers.find((one) => one.key === key), range: null })),
    level: choice([...strip.levels.keys()].map((name) => [name, name]), ui.level, (name) => set({ level: name, open: new Set(), range: null })),
    look: choice([["colour", "colour"], ["underline", "underline"], ["grey", "grey"]], ui.look, (look) => set({ look })),
    range: h("input", { type: "number", min: "0", step: "0.1", "data-key": "range", placeholder: "98 %", change: (event) => set({ range: Number(event.target.value) > 0 ? Number(event.target.value) : null }) }),
  };
  const save = (name, type, make) => h("button", { "data-key": `save-${name}`, click: async () => {
    try {
      keep(`${id}.${name}`, await make(), type);
      announce(`${id}.${name} saved`);
    } catch (error) {
      announce(String(error.message || error));
    }
  } }, name.toUpperCase());
  const buttons = [hooks && save("html", "text/html", () => hooks.save("html")), save("png", "image/png", toPicture), save("csv", "text/csv", () => toTable())];
  const list = h("div", { class: "wbt-tabs", role: "tablist" }, tabs.map((one) => h("button", { role: "tab", "data-tab": one.key, click: () => open(one) }, one.label)));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = tabs.findIndex((one) => one.key === ui.tab) + step;
    if (step && tabs[at]) open(tabs[at]), list.children[at].focus();
  });
  root.classList.add("wbt");
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // keys typed here are not JupyterLab's
  fill(root, 
    h("header", { class: "wbt-head" }, h("strong", { class: "wbt-title", dir: "auto" }, state.title), tabs.length > 1 && list),
    h("div", { class: "wbt-controls" }, field("Score", fields.score), field("Level", fields.level), field("Show as", fields.look), field("Range ±", fields.range),
      tick("numbers", "numbers"), tick("fold quiet sentences", "fold"), h("span", { class: "wbt-saves" }, "Save ", buttons)),
    tool, bar, h("div", { class: "wbt-body" }, stage, mini, side), h("small", { class: "wbt-source" }, state.provenance), tip, status);

  let [panes, open1, beside] = [[], null, null];
  function open(tab) {
    open1?.close?.();
    ui.tab = tab.key;
    open1 = tab.build();
    fill(tool, open1.element);
    for (const button of list.children) {
      button.setAttribute("aria-selected", String(button.dataset.tab === tab.key));
      button.setAttribute("tabindex", button.dataset.tab === tab.key ? "0" : "-1");
    }
    refresh();
  }

  /** Draw everything that may have changed: the blocks near the window, the colour bar, the panel, the tool's line. */
  function refresh() {
    const views = open1.views();
    const version = ++ui.version;
    root.dataset.look = ui.look;
    if (panes.length !== views.length) {
      panes.forEach((pane) => pane.close());
      beside = null;
      panes = views.map((_, at) => new Pane(`${id}-${at}`, "", clicked));
      panes.forEach((pane) => {
        pane.element.addEventListener("keydown", keys);
        pane.element.addEventListener("scroll", () => (tip.hidden = true, drawMini()), { passive: true });
      });
      fill(stage, ...panes.map((pane) => h("section", {}, views.length > 1 && h("h4"), pane.element)));
    }
    if (beside !== open1.beside) {
      beside?.parentElement.remove();
      beside = open1.beside;
      if (beside) stage.append(h("section", {}, beside));
    }
    const folds = ui.fold ? quiet(views[0].values) : null;
    panes.forEach((pane, at) => {
      const [one, held] = [views[at], pane.element.scrollTop];
      pane.view = one;
      pane.element.setAttribute("aria-label", `${one.label}, ${level().start.length} ${ui.level}s. ${HINT}`);
      if (views.length > 1) pane.element.previousSibling.textContent = one.label;
      if (pane.level !== level()) pane.cut(strip.text, level());
      pane.draw(lookOf(one), version, folds);
      pane.element.scrollTop = held;
    });
    fill(bar, ...scale(views[0]));
    fill(side, ...detail());
    side.classList.toggle("wbt-empty", pieceOf(ui.pinned) < 0);
    open1.update?.();
    drawMini();
  }

  /** Runs of sentences in which nothing reaches the threshold; a run is shown as one button. */
  function quiet(values) {
    const folds = { of: new Int32Array(values.length), first: [0], count: [0], open: ui.open };
    const sentence = strip.levels.get("sentence");
    const group = (piece) => (sentence ? sentence.group[tokenOf(piece)] : Math.floor(piece / 20));
    const loud = new Set();
    values.forEach((value, piece) => Math.abs(value) >= ui.cut && loud.add(group(piece)));
    for (let piece = 0, run = 0, before = false; piece < values.length; piece++) {
      const calm = !loud.has(group(piece));
      if (calm && !before) folds.first[++run] = piece, (folds.count[run] = 0);
      if (calm) folds.of[piece] = run, folds.count[run]++;
      before = calm;
    }
    for (let piece = 0; piece < values.length; piece++) if (folds.count[folds.of[piece]] < 12) folds.of[piece] = 0; // too short to be worth a button
    return folds;
  }

  /** The colour bar: the steps of colour, 0, m and M where they lie, and how many values go beyond. */
  function scale(one) {
    const low = one.sequential ? 0 : -one.range;
    const cells = [];
    for (let step = one.sequential ? 0 : -BINS; step <= BINS; step++) cells.push(h("i", { class: kind((step / BINS) * one.range, one.range, one.sequential) }));
    // the lines stand on the axis of the cells, each of which is one step wide
    const place = (value) => `${(100 * ((value - low) / (one.range - low) * (cells.length - 1) + 0.5)) / cells.length}%`;
    const line = (value, text, more = "") => {
      const inside = value >= low && value <= one.range;
      const mark = h("b", { class: `wbt-tick ${more}` }, inside ? text : `${text} →`);
      mark.style.left = place(inside ? value : one.range);
      return mark;
    };
    const limits = one.base || one.label !== "pir" ? [] : [line(ui.m, "m", "wbt-clip"), line(ui.M, "M", "wbt-clip")];
    const [over, under] = [1, -1].map((sign) => Array.from(one.values).filter((value) => sign * value > one.range * (1 + 1e-6)).length);
    const ends = one.sequential ? [[0, plain(one.base, 1)], [one.range, plain(one.base + one.range, 1)]] : [[-one.range, signed(-one.range)], [0, "0"], [one.range, signed(one.range)]];
    const beyond = [over && `▲ ${over} beyond`, under && `▼ ${under} below`].filter(Boolean).join(", ");
    return [h("span", { class: "wbt-name" }, one.label), h("div", { class: "wbt-ramp", "aria-hidden": "true" }, h("div", {}, cells), limits, ends.map(([value, text]) => line(value, text, "wbt-end"))),
      h("span", {}, beyond, beyond && "; ",
      !one.sequential && [["colour", "orange: likelier with the persona, blue: less likely"], ["grey", "darker is stronger, dotted: less likely with the persona"],
        ["underline", "thicker is stronger, dashed: less likely with the persona"]].map(([look, text]) => h("span", { class: `wbt-for-${look}` }, text))), truth() && h("span", {}, h("span", { class: "wbt-key" }, "line above"), ": planted as personal")];
  }

  /** The whole text from top to bottom in a narrow strip: the strongest value of each line of pixels. */
  function drawMini() {
    const [pane, n] = [panes[0], level().start.length];
    const overflows = pane.element.scrollHeight > pane.element.clientHeight + 4;
    mini.hidden = !overflows;
    if (!overflows) return;
    const pen = mini.getContext("2d");
    const style = getComputedStyle(root);
    const [width, height] = [mini.width, mini.height];
    const cells = [...bar.querySelectorAll(".wbt-ramp i")]; // a canvas knows no theme: it takes the colours the bar has got
    const [down, up] = [cells[0], cells.at(-1)].map((cell) => (ui.look === "colour" ? getComputedStyle(cell).backgroundColor : style.color));
    pen.clearRect(0, 0, width, height);
    const best = new Float64Array(height);
    pane.view.values.forEach((value, piece) => {
      const y = Math.floor((piece / n) * height);
      if (Math.abs(value) > Math.abs(best[y])) best[y] = value;
    });
    best.forEach((value, y) => {
      const part = Math.min(1, Math.abs(value) / pane.view.range) || 0;
      pen.fillStyle = value > 0 ? up : down;
      pen.globalAlpha = part;
      pen.fillRect(0, y, width, 1);
    });
    pen.globalAlpha = 1;
    pen.strokeStyle = style.color;
    const { scrollTop, clientHeight, scrollHeight } = pane.element;
    pen.strokeRect(0.5, (scrollTop / scrollHeight) * height + 0.5, width - 1, Math.max(4, (clientHeight / scrollHeight) * height - 1));
  }
  function toPlace(event) {
    const part = event.offsetY / mini.clientHeight;
    const piece = Math.floor(part * level().start.length);
    walk(piece, panes[0], false);
    panes[0].at(piece)?.scrollIntoView({ block: "center" });
  }

  // --- files --------------------------------------------------------------------------------------------------------

  function toTable() {
    const name = ui.level;
    const columns = [...strip.scores, ...(strip.items || [])];
    const head = ["level", "start", "end", "piece", ...(strip.given ? ["log_prob_with", "log_prob_without"] : []), ...columns.map((one) => one.key),
      ...(strip.against ? strip.against.scores.map((one) => `${one.key}, ${strip.against.names[1]}`) : []), ...(strip.truth ? [state.truth_name] : []), "marked", "provenance"];
    const given = strip.given && [addUp(strip.given.with, level()), addUp(strip.given.without, level())];
    const rows = Array.from(level().start.keys(), (piece) => [name, ...span(piece), strip.text.slice(level().start[piece], level().end[piece]), ...(given ? given.map((one) => one[piece]) : []),
      ...columns.map((one) => add(one)[piece]), ...(strip.against ? strip.against.scores.map((one) => add(one)[piece]) : []), ...(strip.truth ? [truth()[piece]] : []), markOf(piece), state.provenance]);
    return csv([head, ...rows]);
  }

  /** The panes as they are, drawn anew in one column, as far as a picture can be tall; no network, no server. */
  async function toPicture() {
    const sheet = h("div", { class: "wbt wbt-sheet", "data-look": ui.look }, h("h3", { dir: "auto" }, state.title), bar.cloneNode(true));
    root.append(sheet);
    let cut = false;
    for (const pane of panes) {
      if (panes.length > 1) sheet.append(h("h4", {}, pane.view.label));
      const copy = new Pane("picture", pane.view.label);
      sheet.append(copy.element);
      copy.cut(strip.text, level());
      Object.assign(copy, { look: pane.look, folds: pane.folds, version: 0 });
      for (const block of copy.blocks) {
        if (sheet.offsetHeight > 7000) {
          cut = true;
          block.element.remove();
        } else copy.fill(block);
      }
      copy.close();
    }
    sheet.append(h("small", {}, [cut && "The picture ends here, the text goes on.", state.provenance].filter(Boolean).join(" ")));
    const canvas = picture(sheet, getComputedStyle(root).backgroundColor);
    sheet.remove();
    return new Promise((resolve, reject) => canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture of this size"))), "image/png"));
  }

  root.addEventListener("pointerover", pointed);
  root.addEventListener("pointerleave", () => (tip.hidden = true));
  stage.addEventListener("click", clicked);
  const everything = () => panes.forEach((pane) => pane.all()); // paper has no window to scroll
  window.addEventListener("beforeprint", everything);
  open(tabs[0]);
  return {
    answered: (rows) => set({ answer: rows }),
    close() {
      open1.close?.();
      panes.forEach((pane) => pane.close());
      window.removeEventListener("beforeprint", everything);
    },
  };
}

/** The first token of every piece. */
function firstTokens(level) {
  const first = new Int32Array(level.start.length).fill(-1);
  level.group.forEach((piece, token) => piece >= 0 && first[piece] < 0 && (first[piece] = token));
  return first;
}

/** A labelled slider that says its value. */
function slide(name, low, high, step, value, change, tell = (number) => plain(number)) {
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
function spark(values, now, what) {
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
function records(rows) {
  if (!rows.length) return "";
  const names = Object.keys(rows[0]);
  const broken = new Set(names.filter((name) => rows.some((row) => typeof row[name] === "number" && !Number.isInteger(row[name]))));
  const cell = (value, name) => (typeof value === "number" && broken.has(name) ? plain(value) : String(value ?? "–"));
  return h("table", {}, h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows.map((row) => h("tr", {}, names.map((name) => h("td", {}, cell(row[name], name)))))));
}

/** Hand a file to the reader; it never leaves the machine. */
function keep(name, content, type) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: `${type};charset=utf-8` }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** JupyterLab: the state comes once, marks and pins go to Python, its answer to the marks comes back (anywidget). */
export default {
  render({ model, el }) {
    const waiting = [];
    const send = (name) => (value) => {
      model.set(name, value);
      model.save_changes();
    };
    const hooks = { marks: send("marked"), pin: send("pinned"), save: (kind) => new Promise((resolve, reject) => (waiting.push({ resolve, reject }), model.send({ save: kind }))) };
    const receive = (message) => (message.error ? waiting.shift()?.reject(new Error(message.error)) : waiting.shift()?.resolve(message.file));
    const strip = draw(el, model.get("state"), hooks);
    const answer = () => strip.answered(model.get("answer"));
    model.on("msg:custom", receive);
    model.on("change:answer", answer);
    return () => {
      model.off("msg:custom", receive);
      model.off("change:answer", answer);
      strip.close();
    };
  },
};
