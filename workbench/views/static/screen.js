// The forget screen: history | report | the list of now or after, over the five answers, in one window; below it the other lists. One renderer for JupyterLab and for the exported file.
// It draws a state (JSON, made by workbench.views.screen or by forget.js) and asks `compute(action, follow)` for the next
// one; controls that are not in it yet come one by one through `follow({ control, controls })`.
// Text from data only ever becomes a text node: nothing in this file parses a string as HTML.

/** Draw the screen into `root` and return what ends it; `compute` may be null (then it shows and explains, but does not forget). */
export function draw(root, firstState, compute, words) {
  const ui = { state: firstState, focus: null, picked: new Set(), why: "", busy: false, error: "", open: false, all: false, large: false, short: false, presses: [], order: new Map(), asked: 0 };
  const status = h("div", { class: "wbs-status", role: "status", "aria-live": "polite" });
  const main = h("div", { class: "wbs-main" });
  root.classList.add("wbs");
  root.setAttribute("data-lm-suppress-shortcuts", "true"); // keys typed here are not JupyterLab's
  root.replaceChildren(main, status);

  const removed = () => ui.state.history.filter((row) => row.removed).map((row) => row.interaction);
  const everything = (state) => [...(state.page?.lines ?? []), ...state.sentences]; // the page, then claim by claim
  const focused = () => everything(ui.state).find((sentence) => sentence.claim === ui.focus);
  const switches = () => Object.fromEntries(ui.state.switches.map((one) => [one.name, one.on]));

  function pickSentence(sentence) {
    const again = ui.focus === sentence.claim;
    const gone = new Set(removed());
    ui.focus = again ? null : sentence.claim;
    ui.picked = new Set(again ? [] : sentence.smallest.filter((id) => !gone.has(id)));
    ui.why = again ? "" : "the fewest that end this sentence";
    arrange(again ? [] : sentence.rows);
    redraw();
  }
  function pickRows(rows) {
    const open = rows.filter((row) => !row.removed).map((row) => row.interaction);
    const all = open.every((id) => ui.picked.has(id));
    for (const id of open) all ? ui.picked.delete(id) : ui.picked.add(id);
    ui.why = "picked by you";
    redraw();
  }
  function pickTopic(topic) {
    const rows = ui.state.history.filter((row) => !row.removed && row.topics.includes(topic));
    ui.focus = null;
    ui.picked = new Set(rows.map((row) => row.interaction));
    ui.why = `everything about ${brief(topic)}`;
    ui.state = { ...ui.state, topic };
    arrange(rows.map((row) => [row.interaction, 1]));
    redraw();
  }
  /** Rows that light up come first, heaviest first, so that nobody has to look for them. */
  function arrange(rows) {
    ui.order = new Map(rows);
  }
  async function ask(interactions, said) {
    if (!compute) return;
    const number = ++ui.asked;
    const follow = ({ control, controls, error }) => {
      if (number !== ui.asked) return; // a control of an older press
      if (error) {
        ui.error = error;
        return redraw();
      }
      ui.state = { ...ui.state, null: [...ui.state.null, control], controls };
      const { top, bottom } = main.querySelector(".wbs-answers").getBoundingClientRect();
      main.querySelector(".wbs-answers").replaceWith(answerStrip());
      fit();
      if (top >= 0 && bottom <= innerHeight) intoView(); // it grew; whoever has scrolled away is left there
      if (controls.done === controls.of) status.textContent = answers(ui.state, words).at(-1)[1].join(" ");
    };
    ui.busy = true;
    ui.short = false;
    ui.error = "";
    redraw();
    try {
      const way = ui.state.switches.find((one) => one.ways)?.way ?? null;
      const next = await compute({ interactions, switches: switches(), topic: ui.state.topic, way, presses: ui.presses }, follow);
      if (number !== ui.asked) return;
      ui.state = next;
      ui.open = Boolean(next.page?.written) && removed().length > 0; // a file writes its claims anew, not its page
      ui.heard = ui.presses;
      ui.picked = new Set();
      if (!focused()) ui.focus = null;
      arrange([...(focused() ? focused().rows : []), ...removed().map((id) => [id, 1e9])]);
    } catch (error) {
      if (number !== ui.asked) return;
      ui.presses = ui.heard ?? [];
      ui.error = String((error && error.message) || error);
    }
    ui.busy = false;
    redraw();
    intoView(); // from below the code of its cell, say
    status.textContent = ui.error || said + " " + answers(ui.state, words).slice(0, 3).map(([, lines]) => lines.join(" ")).join(" ");
  }
  const intoView = () => main.querySelector(".wbs-window").scrollIntoView({ block: "nearest" });
  const forget = () => ask([...removed(), ...ui.picked], "Forgotten.");
  /** A button under the page: what it is about is the pick; which rows go is shown before they go. */
  function press(name) {
    if (name === "forget") return forgetWhy(focused() ?? ui.state.page.lines.find((line) => line.rows.length));
    ui.presses = [...ui.presses, [name, ui.state.page.pick]];
    ask(removed(), "Heard.");
  }
  function forgetWhy(line) {
    if (!line) return;
    const [gone, half] = [new Set(removed()), sum(line.rows.map(([, weight]) => weight)) / 2 - 1e-9];
    let held = 0;
    const heaviest = line.rows.filter(([, weight]) => held < half && ((held += weight), true)).map(([id]) => id);
    ui.focus = line.claim;
    ui.picked = new Set(heaviest.filter((id) => !gone.has(id)));
    ui.why = "what carries half of it: press Forget and it goes";
    arrange(line.rows);
    redraw();
  }
  const restart = () => {
    ui.focus = null;
    ui.presses = [];
    ask([], "Everything is back.");
  };
  const flip = (one) => set(one, { on: !one.on });
  function set(one, what) {
    ui.state = { ...ui.state, switches: ui.state.switches.map((s) => (s.name === one.name ? { ...s, ...what } : s)) };
    if (removed().length) ask(removed(), "Answered again.");
    else redraw();
  }

  function redraw() {
    const held = document.activeElement && main.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const { now, after, never } = lists();
    main.replaceChildren(
      h("div", { class: "wbs-window" }, header(), h("div", { class: "wbs-columns" }, historyColumn(), reportColumn(),
        h("div", { class: "wbs-told" }, after ?? now, answerStrip()))),
      h("div", { class: "wbs-lists" }, after && now, never),
      h("details", { class: "wbs-margin" }, h("summary", { "data-key": "terms" }, words.margin), h("ul", {}, ...margin(ui.state, words).map((line) => h("li", {}, line)))),
      h("small", { class: "wbs-source" }, ui.state.provenance || ""));
    root.classList.toggle("wbs-done", Boolean(after));
    root.classList.toggle("wbs-short", ui.large || ui.short);
    fit();
    if (held) [...main.querySelectorAll("[data-key]")].find((e) => e.dataset.key === held)?.focus({ preventScroll: true });
    main.setAttribute("aria-busy", String(ui.busy));
  }

  /** The largest type with which button, report, list and answers stand in one window; then as much of the history as that leaves room for. */
  function fit() {
    const [window_, list] = [main.querySelector(".wbs-window"), main.querySelector(".wbs-history ol")];
    if (!root.clientWidth) return;
    const items = [...list.children];
    for (const item of items) item.hidden = false;
    list.style.minHeight = "";
    const room = roomOf(root) - 12;
    const fits = (size) => {
      main.style.setProperty("--size", `${size}px`);
      return window_.offsetHeight <= room;
    };
    const largest = (low, high) => {
      if (fits(high)) return high;
      while (high - low > 0.25) fits((low + high) / 2) ? (low = (low + high) / 2) : (high = (low + high) / 2);
      return fits(low), low;
    };
    const most = ui.large ? 40 : Math.min(20, Math.max(SMALL, root.clientWidth / 85));
    root.classList.remove("wbs-tight");
    if (largest(FINE, most) < SMALL || ui.large) root.classList.add("wbs-tight"), largest(FINE, most); // headings within their lines
    if (window_.offsetHeight > room && root.clientWidth >= STACKED && !ui.short) {
      ui.short = true;
      return redraw();
    }
    // a short report leaves room below: the history may have it
    const spare = root.clientWidth >= STACKED && !ui.all ? Math.max(0, room - window_.offsetHeight) : 0;
    if (spare) list.style.minHeight = `${Math.min(list.scrollHeight, list.clientHeight + spare)}px`;
    const floor = list.getBoundingClientRect().bottom + 1;
    const cut = ui.all ? [] : items.filter((item) => item.getBoundingClientRect().bottom > floor);
    for (const item of cut) item.hidden = true;
    main.querySelector(".wbs-rest").textContent = cut.length ? `${count(cut.length, "more product")} ▾` : ui.all ? "fewer ▴" : "";
  }
  const seen = [];
  const refit = () => {
    const now = [root.clientWidth, innerHeight];
    if (String(now) !== String(seen)) [seen[0], seen[1]] = now;
    else return;
    ui.short = false;
    redraw();
  };
  const observer = new ResizeObserver(refit);
  observer.observe(root);
  addEventListener("resize", refit);
  /** For a room: larger type, nothing but what is needed, the whole screen where the browser lets it. */
  function enlarge() {
    const [large, whole] = [!ui.large, document.fullscreenElement];
    if (large) root.requestFullscreen?.().catch(() => {});
    else if (whole === root) document.exitFullscreen();
    resize(large);
  }
  function resize(large) {
    ui.large = large;
    root.classList.toggle("wbs-large", large);
    redraw();
  }
  root.onfullscreenchange = () => document.fullscreenElement !== root && ui.large && resize(false);

  function header() {
    const n = ui.picked.size;
    const ready = compute && n > 0 && !ui.busy;
    const act = compute && [
      h("button", { class: "wbs-forget", "data-key": "forget", "aria-disabled": String(!ready), click: () => ready && forget() },
        n ? `Forget ${count(n, "thing")}` : "Forget"),
      h("b", { class: "wbs-result" }, ui.busy ? "" : result(ui.state)),
      h("span", { class: "wbs-why" }, ui.busy ? "working …" : n ? ui.why : removed().length ? "" : "pick a sentence, or some of what you did"),
    ];
    const boxes = ui.state.switches.filter((one) => one.enabled).map((one) => {
      const box = h("label", { title: one.help },
        h("input", { type: "checkbox", "data-key": `switch-${one.name}`, checked: one.on ? "" : null, disabled: compute ? null : "", change: () => flip(one) }),
        " ", one.label);
      if (!one.ways && !one.stale) return box;
      return h("span", { class: "wbs-way" }, box, ...(one.ways ? wayOf(one) : []), one.stale && h("b", { class: "wbs-stale" }, one.stale));
    });
    return h("header", { class: "wbs-head" },
      h("strong", { class: "wbs-who" }, ui.state.user.name),
      act || h("b", { class: "wbs-result" }, result(ui.state)),
      h("fieldset", { class: "wbs-switches" }, h("legend", {}, "Forget it in"), ...boxes,
        h("span", { class: "wbs-right" }, compute && removed().length + ui.presses.length > 0 && h("button", { class: "wbs-again", "data-key": "again", click: restart }, "Start again"), " ",
          h("button", { class: "wbs-again wbs-larger", "data-key": "larger", "aria-pressed": String(ui.large), "aria-label": "larger type, for a room", title: "larger type, for a room", click: enlarge }, "A\u2009A"))),
      ui.error && h("p", { class: "wbs-error", role: "alert" }, ui.error));
  }

  /** How rows leave a place that can be cleaned in several ways: what each took, and what is known of it. */
  function wayOf(one) {
    const told = ({ name, verdict }) => [name, ui.state.seconds?.[name] !== undefined && `${Number(ui.state.seconds[name].toPrecision(2))} s`, verdict];
    return [
      h("select", { "data-key": "way", "aria-label": `how rows leave ${one.label}`, disabled: compute && one.on ? null : "", change: (event) => set(one, { way: event.target.value }) },
        ...one.ways.map((way) => h("option", { value: way.name, selected: way.name === one.way ? "" : null }, told(way).filter(Boolean).join(" · "))))];
  }

  /** One line for each product: its rows (view, cart, purchase) are forgotten together unless picked one by one. */
  function products() {
    const lines = new Map();
    for (const row of ui.state.history) lines.set(row.item, [...(lines.get(row.item) || []), row]);
    const weight = (rows) => sum(rows.map((row) => ui.order.get(row.interaction) || 0));
    return [...lines.values()].sort((a, b) => weight(b) - weight(a));
  }

  function historyColumn() {
    const weights = new Map(focused() ? focused().rows : []);
    const total = sum([...weights.values()]) || 1;
    const smallest = new Set(focused() ? focused().smallest : []);
    const lines = products();
    const items = lines.map((rows) => productLine(rows, (row) => (weights.get(row.interaction) || 0) / total, smallest));
    const topics = new Map();
    for (const rows of lines) for (const topic of rows[0].topics) topics.set(topic, [...(topics.get(topic) || []), rows]);
    const chips = [...topics].sort((a, b) => b[1].length - a[1].length).slice(0, 5).map(([topic, held]) => {
      const left = held.filter((rows) => rows.some((row) => !row.removed)).length;
      return h("button", { class: "wbs-chip", "data-key": `topic-${topic}`, "aria-label": `pick everything about ${brief(topic)}: ${count(left, "product")}`,
        disabled: left ? null : "", "aria-pressed": String(ui.why === `everything about ${brief(topic)}` && ui.picked.size > 0), click: () => pickTopic(topic) }, `${brief(topic)} ${left}`);
    });
    const lit = lines.filter((rows) => rows.some((row) => weights.has(row.interaction))).length;
    const said = focused() ? `${lit} of ${lines.length} carry it` : `${count(lines.length, "product")}, ${count(ui.state.history.length, "thing")} done`;
    return h("section", { class: ui.all ? "wbs-history wbs-all" : "wbs-history", "aria-label": "History" },
      h("h3", {}, "History ", h("small", {}, said)), h("div", { class: "wbs-chips" }, ...chips),
      roving(h("ol", { "data-list": "history" }, ...items)),
      h("button", { class: "wbs-rest", "data-key": "rest", click: () => ((ui.all = !ui.all), redraw()) }));
  }

  function productLine(rows, weight, smallest) {
    const [row, ids] = [rows[0], rows.map((one) => one.interaction)];
    const number = (test) => rows.filter(test).length;
    const [removed, picked] = [number((one) => one.removed), number((one) => ui.picked.has(one.interaction))];
    const [share, least] = [sum(rows.map(weight)), number((one) => smallest.has(one.interaction))];
    const partly = (n) => (n === rows.length ? "" : `${n} of ${rows.length} `);
    const acts = new Map();
    for (const one of rows) acts.set(one.action, (acts.get(one.action) || 0) + 1);
    const said = [...acts].map(([act, n]) => (n > 1 ? `${act} ×${n}` : act)).join(", ");
    const marks = [removed && `${partly(removed)}deleted`, picked && `${partly(picked)}picked`, least && "of the fewest"].filter(Boolean);
    const lit = share > 0;
    const styles = ["wbs-row", lit && "wbs-lit", picked && "wbs-picked", removed === rows.length && "wbs-removed", focused() && !lit && "wbs-dim"];
    return h("li", {},
      h("button", {
        class: styles.filter(Boolean).join(" "), "data-key": `row-${ids[0]}`, "data-rows": ids.join(" "), "aria-pressed": String(picked > 0),
        "aria-disabled": String(removed === rows.length), click: () => pickRows(rows), keydown: arrows,
        "aria-label": [row.title, said, row.when, ...marks, lit && `carries ${percent(share)} of the sentence`].filter(Boolean).join(", ") },
        h("span", { class: "wbs-mark" }, removed === rows.length ? "✗" : !picked ? "☐" : picked + removed < rows.length ? "◪" : "☑"),
        h("span", { class: "wbs-title", title: row.title }, removed === rows.length ? h("s", {}, row.title) : row.title),
        lit && h("span", { class: "wbs-share" }, least ? "◆ " : "● ", percent(share)),
        h("small", { class: "wbs-meta" }, [said, row.when, brief(row.category)].filter(Boolean).join(" · "), marks.length > 0 && h("b", {}, ` · ${marks.join(", ")}`))));
  }

  /** The page as it reads, its table among it; below it every claim in a sentence of its own, folded. */
  function reportColumn() {
    const { page, sentences } = ui.state;
    const bySection = (lines) => lines.reduce((found, one) => found.set(one.section, [...(found.get(one.section) || []), one]), new Map());
    const said = (lines, whole) => lines.length > 0 && h("p", {}, ...(whole ? lines : short(lines)).flatMap((one) => (one.more ? h("small", {}, one.more) : [sentenceOf(one), /[.!?]$/.test(one.text) ? " " : h("br")])));
    // where there is little room the first of what went and the first two of what came, and how many more
    const short = (lines) => !(ui.large || ui.short) ? lines : [["gone", 1], ["new", 2]].reduce((left, [fate, most]) => {
      const own = left.filter((one) => one.fate === fate).slice(most);
      const at = left.findLastIndex((one) => one.fate === fate && !own.includes(one)) + 1;
      const rest = left.filter((one) => !own.includes(one));
      return own.length ? [...rest.slice(0, at), { more: `and ${own.length} more ${words.fate[fate][1]} ` }, ...rest.slice(at)] : left;
    }, lines);
    const section = (title, ...parts) => h("div", { class: "wbs-section" }, title && h("h4", {}, title), ...parts);
    const claims = [...bySection(sentences)].map(([title, own]) => section(title, said(own, page && !page.written)));
    const body = page && [...bySection(page.lines)].map(([title, own]) => {
      const rows = own.filter((one) => one.cells.length);
      return section(title, said(own.filter((one) => !one.cells.length)), rows.length > 0 && tableOf(page.head, rows));
    });
    const foot = page && [
      h("p", { class: "wbs-buttons" }, ...(compute && !page.written ? Object.entries(page.buttons).map(buttonOf)
        : [h("small", {}, Object.values(page.buttons).map((word) => `[${word}]`).join(" · "))])),
      h("details", { class: "wbs-margin", open: ui.open ? "" : null, toggle: (event) => ((ui.open = event.target.open), fit()) },
        h("summary", { "data-key": "margin" }, page.margin), ...claims)];
    const key = ui.picked.size > 0 && h("small", {}, "% on what is picked");
    // once a file's claims are made anew, its page is what is folded
    const old = page?.written && removed().length ? [...foot.slice(1), h("details", { class: "wbs-margin", toggle: fit }, h("summary", {}, page.written), ...body)] : null;
    return h("section", { class: "wbs-report", "aria-label": "Report" }, h("h3", {}, "Report ", key),
      page?.written && h("small", {}, old ? words.anew : page.written), ...(ui.state.changed ?? []).map((line) => h("p", { class: "wbs-heard" }, h("b", {}, line))),
      roving(h("div", { "data-list": "report" }, ...(old ?? (page ? [...body, ...foot] : claims)))));
  }

  const buttonOf = ([name, word]) => h("button", { class: "wbs-again", "data-key": `button-${name}`, disabled: ui.busy || (name !== "forget" && ui.state.page.pick === null) ? "" : null, click: () => press(name) }, word);

  /** Up to three products beside each other: the first cell of a row is pressed as a sentence is. */
  function tableOf(head, rows) {
    const lines = rows.map((one) => h("tr", { class: one.fate ? `wbs-${one.fate}` : "" },
      h("th", { scope: "row" }, sentenceOf(one, one.cells[0])),
      ...one.cells.slice(1).map((cell) => h("td", {}, h(one.fate === "gone" ? "s" : "span", {}, ...written(cell))))));
    return h("table", { class: "wbs-table" }, h("thead", {}, h("tr", {}, ...head.map((cell) => h("th", { scope: "col" }, ...written(cell))))), h("tbody", {}, ...lines));
  }

  /** A text with its numbers: one that is another now stands beside the old one. */
  function written(told) {
    return told.map((part) => (Array.isArray(part) ? [`${part[0] || "–"} → `, h("b", {}, part[1] || "–")] : part)).flatMap((part, at) => [at ? " " : "", part].flat());
  }

  function sentenceOf(one, shown = one.told) {
    const share = dependence(one, ui.picked);
    const [sign, word] = words.fate[one.fate] || ["", ""];
    const told = one.fate && (one.fate !== "kept" || ui.focus === one.claim);
    const why = told ? because(one.fate, one.cause, words) : "";
    const styles = ["wbs-sentence", ui.focus === one.claim && "wbs-focus", share > 0 && "wbs-touched", one.fate && `wbs-${one.fate}`];
    const element = h("span", {
      class: styles.filter(Boolean).join(" "), role: "button", "data-key": `claim-${one.claim}`, "data-claim": one.claim, "data-fate": one.fate || "",
      "aria-pressed": String(ui.focus === one.claim), click: () => pickSentence(one), keydown: arrows,
      "aria-label": [telling(one.told), word, why, share > 0 && `${percent(share)} of it rests on the picked rows`].filter(Boolean).join("; ") },
      h(one.fate === "gone" ? "s" : "span", { class: "wbs-text" }, ...written(shown)),
      told && h("b", { class: "wbs-fate" }, ` ${sign}\u00a0${word}`), why && (one.fate === "back" || ui.focus === one.claim) && h("small", { class: "wbs-cause" }, ` (${why})`),
      share >= 0.005 && h("b", { class: "wbs-rests" }, ` ${percent(share).replace(" ", "\u00a0")}`));
    element.style.setProperty("--share", share.toFixed(3));
    return element;
  }

  /** The three lists: `after` is null before a press. */
  function lists() {
    const { now, after, never } = ui.state.lists;
    const before = new Set(now.map((one) => one.item));
    const kept = after && new Set(after.map((one) => one.item));
    const line = (one, mark, note, left) =>
      h("li", { class: [one.topic && "wbs-topic", left && "wbs-left", mark && "wbs-enters", one.deleted && "wbs-deleted"].filter(Boolean).join(" "), "data-item": one.item },
        h("span", { class: "wbs-title", title: one.title }, one.topic && h("b", { class: "wbs-square" }, "■\u00a0"), left ? h("s", {}, one.title) : one.title,
          one.deleted && h("b", { class: "wbs-flag" }, " ⟲\u00a0deleted, offered again"), mark && !one.deleted && h("small", {}, ` ${mark}`)),
        note && h("small", { class: "wbs-note" }, note));
    const list = (name, title, lines, empty) => h("section", { class: "wbs-list", "aria-label": title }, h("h3", {}, title),
      h("p", { class: "wbs-exposure" }, topicLine(name, ui.state) || "\u00a0"), lines.length ? h("ol", {}, ...lines) : h("p", { class: "wbs-empty" }, empty));
    return {
      now: list("as served before", "Now", now.map((one) => line({ ...one, deleted: false }, null, null, kept && !kept.has(one.item))), "no list"),
      after: after && list("after", "After", after.map((one) => line(one, before.has(one.item) ? null : "+\u00a0new")), "nothing left, no list"),
      never: list("never had", "Never had it", (never || []).map((one) => line(one, null, percent(one.share))), ui.state.topic ? "nobody to compare with" : "pick a topic above the history"),
    };
  }

  function answerStrip() {
    return h("section", { class: "wbs-answers", "aria-label": "What happened" },
      ...answers(ui.state, words).map(([question, lines]) =>
        h("div", {}, h("h3", {}, question), h("p", {}, ...(lines.length ? lines : ["–"]).map((line, at) => h("span", {}, at ? ` · ${line}` : line))))));
  }

  const first = everything(firstState).find((sentence) => sentence.smallest.length && !sentence.fate);
  // armed from the start: no instruction needed. A file writes its claims anew, not its page, and is armed with its topic
  const about = firstState.page?.written ? firstState.history.filter((row) => row.topics.includes(firstState.topic)) : [];
  if (compute && about.length) pickTopic(firstState.topic);
  else if (first && compute) pickSentence(first);
  else redraw();
  return () => {
    observer.disconnect();
    removeEventListener("resize", refit);
  };
}

const [FINE, SMALL] = [10, 14]; // pixels of type: never less; below the other room is saved
const STACKED = 620; // pixels below which the columns stand one under the other

/** Height of the window in which an element is looked at: the whole screen, the part of JupyterLab that scrolls, or the browser's. */
function roomOf(root) {
  const inner = document.fullscreenElement !== root && root.closest(".jp-WindowedPanel-outer, .jp-Notebook");
  if (inner && inner.clientHeight) return inner.clientHeight;
  return self === top ? innerHeight : Math.max(innerHeight, 0.7 * screen.availHeight); // a frame may be as high as what it holds
}

/** One tab stop for a list; the arrow keys move inside it. */
function roving(list) {
  list.querySelectorAll("[aria-pressed]").forEach((button, at) => button.setAttribute("tabindex", at ? "-1" : "0"));
  return list;
}
function arrows(event) {
  const [step, here] = [{ ArrowDown: 1, ArrowUp: -1 }[event.key], event.currentTarget];
  if (step) {
    const buttons = [...here.closest("[data-list]").querySelectorAll("[aria-pressed]")];
    buttons[buttons.indexOf(here) + step]?.focus();
  } else if (here.tagName === "BUTTON" || !["Enter", " "].includes(event.key)) return;
  else here.click();
  event.preventDefault();
}

/** JupyterLab: the action goes to Python, the next state comes back (anywidget). */
export default {
  render({ model, el }) {
    const view = Math.random().toString(36).slice(2);
    let [presses, waiting] = [0, null]; // only the last press is waited for
    const compute = (action, follow) => {
      const press = { id: `${view}-${++presses}`, follow };
      press.answer = new Promise((resolve, reject) => Object.assign(press, { resolve, reject }));
      waiting = press;
      model.send({ id: press.id, action });
      return press.answer;
    };
    const receive = (message) => {
      if (message.id !== waiting?.id) return;
      const { answer, resolve, reject, follow } = waiting;
      if (message.state) return resolve(message.state);
      if (message.error) reject(new Error(message.error)); // without effect once the answer is there
      answer.then(() => follow(message), () => {});
    };
    model.on("msg:custom", receive);
    const end = draw(el, model.get("state"), model.get("computes") ? compute : null, model.get("words"));
    return () => (end(), model.off("msg:custom", receive));
  },
};
