// The live token strip: one text, a score on every word, and the questions one asks of it, each behind a tab.
// Joined behind text.js and the other strip_*.js into one module; the same code runs in JupyterLab and in an exported file.
// Text from data only ever becomes a text node: nothing in these files parses a string as HTML.

const CENTRED = /pir|difference|cxmi|gain/i; // these scores have a meaningful 0 in the middle even if none is negative

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

  // --- what is looked at: one view a pane ---------------------------------------------------------------------------

  const view = (label, values, range, more) => ({ label, values, range, base: 0, sequential: false, ...more });
  const rises = (layer) => !("item" in layer) && !CENTRED.test(layer.key) && layer.values.every((value) => !(value < 0));
  const rangeOf = (layer) => ui.range || ("item" in layer ? robustRange(...strip.items.map((one) => add(one)))
    : layer.key === state.score && state.scale ? state.scale : robustRange(add(layer)));
  const usual = () => [view(ui.layer.label, add(ui.layer), rangeOf(ui.layer), { sequential: rises(ui.layer), unit: "nats" })];

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
  const tabs = questions({ state, strip, ui, hooks, fields, view, usual, add, level, truth, said, tokenOf, pieceOf, markOf, scoreMarks, pin, refresh });
  const detail = pinnedWord({ strip, ui, add, level, truth, said, tokensOf, pieceOf, markOf, mark });
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
