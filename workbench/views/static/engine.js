// EASE in the browser, so that a mailed file still forgets without a kernel or a network.
// x·B = x − (x·P)/diag P with P = (XᵀX + λI)⁻¹ (Steck 2019); one shopper's change is two Sherman–Morrison steps on P.

const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** The model as exported: `P` upper triangle, float64, little-endian; `seen` users × items, one bit a cell. */
export function unpack({ items, users, P, seen, catalogue = {} }) {
  const [triangle, bits, full] = [new DataView(bytes(P).buffer), bytes(seen), new Float64Array(items * items)];
  for (let i = 0, at = 0; i < items; i++)
    for (let j = i; j < items; j++, at += 8) full[i * items + j] = full[j * items + i] = triangle.getFloat64(at, true);
  const rows = Array.from({ length: users }, (_, u) =>
    Array.from({ length: items }, (_, i) => i).filter((i) => (bits[(u * items + i) >> 3] >> (7 - ((u * items + i) & 7))) & 1));
  const numbers = (values = []) => values.map((value) => value ?? NaN);
  return { items, P: full, rows, catalogue: { ...catalogue, price: numbers(catalogue.price), rating: numbers(catalogue.rating) } };
}

/** Scores of every item for a shopper who has the items of `row`. */
export function score({ items, P }, row) {
  const scores = new Float64Array(items);
  for (const i of row) for (let j = 0; j < items; j++) scores[j] -= P[i * items + j];
  for (let j = 0; j < items; j++) scores[j] /= P[j * items + j];
  for (const i of row) scores[i] += 1;
  return scores;
}

/** P after one shopper's row has changed from `before` to `after` (lists of items); equals a refit. */
export function replace({ items, P }, before, after) {
  const next = Float64Array.from(P);
  for (const [row, sign] of [[after, 1], [before, -1]]) { // the new row first: P stays positive definite
    const v = new Float64Array(items);
    for (const i of row) for (let j = 0; j < items; j++) v[j] += next[i * items + j];
    const scale = sign / (1 + sign * row.reduce((sum, i) => sum + v[i], 0));
    for (let i = 0; i < items; i++) for (let j = 0; j < items; j++) next[i * items + j] -= scale * v[i] * v[j];
  }
  return next;
}

/** The k best items outside `row`: higher score first, then lower item code. */
export function top(scores, row, k) {
  const [out, best] = [new Set(row), []];
  for (let i = 0; i < scores.length; i++) {
    if (out.has(i) || (best.length === k && scores[i] <= scores[best[k - 1]])) continue;
    let at = best.length;
    while (at > 0 && scores[best[at - 1]] < scores[i]) at -= 1;
    best.splice(at, 0, i);
    if (best.length > k) best.pop();
  }
  return best;
}

/** The random numbers of numpy's default generator (PCG64, O'Neill 2014) from its state: 32 bits at a call. */
export function generator({ state, inc }) {
  const [word, half] = [(1n << 128n) - 1n, (1n << 64n) - 1n];
  let [now, held] = [BigInt(state), null];
  return () => {
    if (held !== null) return ([held] = [null, held])[1];
    now = (now * 0x2360ed051fc65da44385df649fccf645n + BigInt(inc)) & word;
    const [mixed, turn] = [((now >> 64n) ^ now) & half, now >> 122n];
    const drawn = ((mixed >> turn) | (mixed << (64n - turn))) & half;
    held = Number(drawn >> 32n);
    return Number(drawn & 0xffffffffn);
  };
}

/** 0 to n − 1 in random order, as numpy's `Generator.permutation(n)`: Fisher-Yates, draws beyond the bound made again. */
export function permutation(random, n) {
  const order = Array.from({ length: n }, (_, at) => at);
  for (let last = n - 1; last > 0; last--) {
    const bits = 2 ** (32 - Math.clz32(last)) - 1;
    let other = random() & bits;
    while (other > last) other = random() & bits;
    [order[last], order[other]] = [order[other], order[last]];
  }
  return order;
}
