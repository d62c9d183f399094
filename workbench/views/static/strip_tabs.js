// The questions that one asks of a strip, each behind a tab: what the text is coloured by, and a line that says what is seen.

/** The tabs that this strip has something for. A tab gives the `views` to draw, its own controls (`element`), perhaps a table `beside`. */
export function questions({ state, strip, ui, hooks, fields, view, usual, add, level, truth, said, tokenOf, pieceOf, markOf, scoreMarks, pin, refresh }) {
  const pir = strip.scores.find((one) => one.key === "pir");

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
      const chosen = rows.querySelector("[aria-selected=true]"); // the pinned word's row, where it is out of sight
      const below = chosen ? chosen.offsetTop - table.scrollTop : 0;
      if (below < 0 || below + (chosen?.offsetHeight || 0) > table.clientHeight) table.scrollTop += below - table.clientHeight / 2;
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

  function claimsTab() {
    const [line, list] = [h("p", { class: "wbt-line", role: "status" }), h("ol", { class: "wbt-line" })];
    const parts = strip.claims.values.map((values, at) => ({ key: `claim ${at}`, mean: false, values }));
    const held = () => parts.map((part) => add(part)); // claims × pieces: how many tokens of a piece stand in a claim
    const views = (own = held()) => usual().map((one) => ({ ...one, verdict: (piece) => own.some((part) => part[piece] > 0) ? ["wbt-found", "✓", "stands in a claim"] : one.values[piece] >= ui.cut ? ["wbt-false", "✗", "stands in no claim"] : null }));
    const update = () => {
      const [own, values] = [held(), add(ui.layer)];
      const bare = strongest(values, values.length).filter((piece) => values[piece] >= ui.cut && !own.some((part) => part[piece] > 0));
      const words = (part) => Array.from(part).flatMap((count, piece) => (count > 0 ? [said(piece).trim()] : [])).join(" ");
      line.textContent = `✓ stands in a claim. ✗ ${bare.length} ${ui.level}s of ${plain(ui.cut)} or more stand in none: ${bare.slice(0, 12).map((piece) => `${short(said(piece), 20).trim()} ${signed(values[piece])}`).join(", ") || "–"}.`;
      fill(list, ...own.map((part, at) => h("li", { dir: "auto" }, `${strip.claims.labels[at]} `, h("b", {}, words(part) || "–"))));
    };
    return { element: h("div", {}, line, list), views, update };
  }

  return [
    { key: "read", label: "Read", build: () => ({ element: h("p", { class: "wbt-hint" }, HINT), views: usual }) },
    strip.against && { key: "compare", label: "Two personas", build: compareTab },
    strip.memory && { key: "memory", label: "Memories", build: memoryTab },
    pir && strip.given && { key: "clip", label: "Clip m, M", build: clipTab },
    strip.truth && { key: "truth", label: "Truth", build: truthTab },
    strip.claims && { key: "claims", label: "Claims", build: claimsTab },
    { key: "marks", label: "My marks", build: marksTab },
    strip.film && { key: "film", label: "Training", build: filmTab },
  ].filter(Boolean);
}
