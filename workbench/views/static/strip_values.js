// Numbers of the token strip: typed arrays in, plain values out. Nothing here touches the page.

export const BINS = 9; // steps of a colour; more cannot be told apart behind text

/** A typed array from base64: 20,000 tokens are 80 kB a score instead of a megabyte of JSON. */
export function numbers(text, Type = Float32Array) {
  if (text === null) return null;
  const signs = atob(text);
  const bytes = new Uint8Array(signs.length);
  for (let at = 0; at < signs.length; at++) bytes[at] = signs.charCodeAt(at);
  return new Type(bytes.buffer);
}

/** The state from Python with its arrays unpacked: levels by name, layers (what can colour the text) by key. */
export function unpack(state) {
  const count = state.tokens;
  const layer = (name, one, key, more) => ({ key, label: name, mean: one.mean, values: numbers(one.values), ...more });
  const rows = (text, n) => {
    const all = numbers(text);
    return Array.from({ length: n }, (_, at) => all.subarray(at * count, (at + 1) * count));
  };
  const strip = {
    ...state,
    levels: new Map(state.levels.map((one) => {
      const [start, end, group, from, to] = [one.start, one.end, one.group, one.from, one.to].map((text) => numbers(text, Int32Array));
      return [one.name, { name: one.name, start, end, group, from, to }];
    })),
    scores: state.scores.map((one) => layer(one.name, one, one.name)),
    given: state.given && { with: numbers(state.given.with), without: numbers(state.given.without) },
    truth: state.truth && numbers(state.truth, Uint8Array),
    against: state.against && { ...state.against, scores: state.against.scores.map((one) => layer(one.name, one, one.name)) },
    claims: state.claims && { labels: state.claims.labels, values: rows(state.claims.held, state.claims.labels.length) },
    film: state.film && { ...state.film, values: rows(state.film.values, state.film.steps.length) },
  };
  for (const level of strip.levels.values()) level.begins = beginnings(level, strip.levels.get("sentence"));
  if (state.memory) {
    const values = rows(state.memory.values, state.memory.items.length);
    strip.memory = { items: state.memory.items, values, whole: numbers(state.memory.whole) };
    strip.items = values.map((part, at) => ({ key: `memory ${at}`, label: `memory ${at}: ${state.memory.items[at]}`, item: at, mean: false, values: part }));
  }
  return strip;
}

/** 1 for each piece in which a sentence begins, as Python has cut them; without sentences, for every piece. */
export function beginnings(level, sentences) {
  const begins = new Uint8Array(level.start.length).fill(sentences ? 0 : 1);
  for (let piece = 0, next = 0; sentences && piece < begins.length; piece++)
    while (next < sentences.start.length && sentences.start[next] < level.end[piece]) [begins[piece], next] = [1, next + 1];
  return begins;
}

/** Sum (or mean) of the tokens of each piece; what is not a number counts as nothing. */
export function addUp(values, level, mean = false) {
  const [sums, counts] = [new Float64Array(level.start.length), new Int32Array(level.start.length)];
  for (let token = 0; token < values.length; token++) {
    const piece = level.group[token];
    if (piece < 0 || Number.isNaN(values[token])) continue;
    sums[piece] += values[token];
    counts[piece]++;
  }
  for (let piece = 0; piece < sums.length; piece++) sums[piece] = counts[piece] ? (mean ? sums[piece] / counts[piece] : sums[piece]) : NaN;
  return sums;
}

/** The 98 % quantile of |value|, linear between ranks, over one or more arrays. */
export function robustRange(...arrays) {
  const all = new Float64Array(arrays.reduce((n, values) => n + values.length, 0));
  let n = 0;
  for (const values of arrays) for (const value of values) if (Number.isFinite(value)) all[n++] = Math.abs(value);
  const size = all.subarray(0, n).sort();
  if (!size.length) return 1e-9;
  const place = 0.98 * (size.length - 1);
  const low = Math.floor(place);
  return Math.max(size[low] + (place - low) * (size[Math.min(low + 1, size.length - 1)] - size[low]), 1e-9);
}

/** How strong a colour: 0 (none) to BINS. */
export const bin = (value, range) => (Number.isNaN(value) ? 0 : Math.min(BINS, Math.round((Math.abs(value) / range) * BINS)));

/** The classes of a colour: likelier, less likely, or (sequential) more of what has no other side; then how strong. */
export function kind(value, range, sequential) {
  const size = bin(value, range);
  return size ? `${sequential ? "s" : value > 0 ? "p" : "n"} k${size}` : "";
}

/** The first token of every piece. */
export function firstTokens(level) {
  const first = new Int32Array(level.start.length).fill(-1);
  level.group.forEach((piece, token) => piece >= 0 && first[piece] < 0 && (first[piece] = token));
  return first;
}

/** Probability that a marked value is above another, ties half (midranks); NaN where one kind is missing. */
export function auc(values, mark) {
  const order = Array.from(values.keys()).filter((at) => !Number.isNaN(values[at])).sort((a, b) => values[a] - values[b]);
  let [ranks, high] = [0, 0];
  for (let first = 0; first < order.length; ) {
    let last = first;
    while (last + 1 < order.length && values[order[last + 1]] === values[order[first]]) last++;
    for (let at = first; at <= last; at++) if (mark[order[at]]) [ranks, high] = [ranks + (first + last) / 2 + 1, high + 1];
    first = last + 1;
  }
  const low = order.length - high;
  return high && low ? (ranks - (high * (high + 1)) / 2) / (high * low) : NaN;
}

/** Found, false high and missed at a threshold, with precision and recall. */
export function confusion(values, truth, cut) {
  let [found, high, missed] = [0, 0, 0];
  for (let at = 0; at < values.length; at++) {
    if (values[at] >= cut) truth[at] ? found++ : high++;
    else if (truth[at]) missed++;
  }
  return { found, false: high, missed, precision: found / (found + high), recall: found / (found + missed) };
}

/** What weights clip(PIR, m, M) do over the tokens: the same five numbers as TokenStrip.lens in Python. */
export function lens(pir, logProb, m, M) {
  const sum = { up: 0, capped: 0, weight: 0, loss: 0, upLoss: 0, plain: 0, upPlain: 0 };
  for (let at = 0; at < pir.length; at++) {
    const [weight, loss, up] = [Math.min(Math.max(pir[at], m), M), Math.max(-logProb[at], 0), pir[at] > m];
    sum.weight += weight;
    sum.loss += weight * loss;
    sum.plain += loss;
    if (pir[at] > M) sum.capped++;
    if (up) [sum.up, sum.upLoss, sum.upPlain] = [sum.up + 1, sum.upLoss + weight * loss, sum.upPlain + loss];
  }
  const n = pir.length || 1;
  return { share: sum.up / n, capped: sum.capped / n, mean: sum.weight / n, loss: sum.upLoss / (sum.loss || 1), plain: sum.upPlain / (sum.plain || 1) };
}

/** Places of the largest |values|. */
export const strongest = (values, count) =>
  Array.from(values.keys()).filter((at) => !Number.isNaN(values[at])).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])).slice(0, count);

/** Rows as CSV. A cell that a spreadsheet would take for a formula gets an apostrophe: pieces come from strangers. */
export function csv(rows) {
  const cell = (value) => {
    let text = typeof value === "number" ? (Number.isNaN(value) ? "" : String(value)) : String(value ?? "");
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text)) text = `'${text}`;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\n") + "\n";
}
