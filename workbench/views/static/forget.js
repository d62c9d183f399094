// The loop of workbench/ledger (memory.py, loop.py, exposure.py) and the state of its screen (views/screen/state.py) for one
// shopper of an exported EASE service: which place is cleaned, what became of every sentence and why, who else changed, and what changes for no reason.

const [BACK, SLACK, DRAWS, TOP] = [0.5, 0.1, 3, 10];
const [NEVER, CALIPER, LEAST] = [25, 0.1, 2];
const [OTHERS, AGAIN] = ["implied by other rows", "deleted products offered again"];
const TIERS = ["log", "profile", "item_weights"]; // EASE stores no user vector

/** `compute(action) → state` from what the file holds: the first state and the packed model. */
export function engine({ state: first, model: packed }) {
  const [model, me, mine] = [unpack(packed), first.user.code, first.history];
  const [catalogue, activity] = [model.catalogue, model.rows.map((row) => row.length)];
  const itemsOf = (rows) => [...new Set(rows.map((row) => row.item))];
  const about = (item, topic) => topic !== null && catalogue.topics[item].includes(topic);
  const everyones = (weights) => model.rows.map((row) => top(score(weights, row), row, TOP));
  const before = everyones(model);
  const best = (r) => (r.rows.length ? r.ranked.slice(0, TOP) : []); // without a row every score is the same

  /** Everything that depends on one request, each part made at most once. */
  function request(ids) {
    const [gone, kept] = [new Set(ids), new Map()];
    const left = mine.filter((row) => !gone.has(row.interaction));
    const once = (key, make) => kept.get(key) ?? kept.set(key, make()).get(key);
    const weights = () => once("weights", () => ({ ...model, P: replace(model, itemsOf(mine), itemsOf(left)) }));
    const read = (on) => once(`read ${[...on].sort()}`, () => {
      const rows = on.has("log") ? left : mine;
      const profile = packed.profile.filter(([, id]) => !(on.has("profile") && gone.has(id)));
      const hidden = on.has("tombstone") ? itemsOf(mine.filter((row) => gone.has(row.interaction))) : [];
      return reading({ model: on.has("item_weights") ? weights() : model, rows, log: rows, hidden, catalogue, profile, name: `user:${me}` });
    });
    const values = (on) => once(`values ${[...on].sort()}`, () => new Map(claims(read(on)).map((claim) => [claim.key, claim.value])));
    const others = (on) => once(`others ${on.has("item_weights")}`, () => touched(before, on.has("item_weights") && ids.length ? everyones(weights()) : before, activity, me));
    return { ids, gone, left: itemsOf(left).length, read, values, others, weights };
  }

  const start = request([]).read(new Set());
  const said = page(start, packed.templates).map((claim, at) => ({ ...claim, low: packed.low[at], shown: first.sentences[at] }));

  return async (action) => {
    const began = performance.now();
    const asked = request(action.interactions);
    const on = new Set([...TIERS, "tombstone"].filter((name) => action.switches[name]));
    const deleted = new Set(itemsOf(mine.filter((row) => asked.gone.has(row.interaction))));
    const topic = action.topic ?? sharedTopic([...deleted], catalogue);
    const now = asked.read(on);
    const none = !asked.ids.length;
    const entry = (item, scores) => ({ item, title: catalogue.title[item], category: catalogue.category[item], topic: about(item, topic), deleted: deleted.has(item), score: scores[item] });
    const listed = (r) => best(r).map((item) => entry(item, r.scores));
    const group = neverHad(topic, asked.left);
    const hit = (list) => list.some((item) => about(item, topic));
    const one = (row, r) => ({ row, value: Number(hit(best(r))), low: null, high: null, n: 1 });
    const [low, high] = wilson(group.filter((user) => hit(before[user])).length, group.length);
    const share = group.length ? group.filter((user) => hit(before[user])).length / group.length : null;
    return {
      ...first, topic, page: written(asked, on),
      history: mine.map((row) => ({ ...row, removed: asked.gone.has(row.interaction) })),
      sentences: sentences(asked, on, now, none),
      lists: { now: listed(start), after: none ? null : listed(now), never: shownMost(group, topic) },
      switches: first.switches.map((s) => ({ ...s, on: Boolean(s.enabled && action.switches[s.name]) })),
      exposure: topic === null ? [] : [one("as served before", start), one("after", now), { row: "never had", value: share, low, high, n: group.length }],
      others: asked.others(on), null: none ? first.null : [...placebos(asked, on, topic), ...first.null.filter((draw) => draw.kind !== "placebo rows")],
      seconds: (performance.now() - began) / 1000,
    };
  };

  /** The page stays as it was written; what rests on a row that was forgotten is marked: the file cannot write it again. */
  function written({ gone }, on) {
    const fate = (line) => (on.size && line.rows.some(([id]) => gone.has(id)) ? "old" : null);
    return first.page && { ...first.page, lines: first.page.lines.map((line) => ({ ...line, fate: fate(line) })) };
  }

  function sentences(asked, on, now, none) {
    const later = new Map(page(now, packed.templates).map((claim) => [claim.key, claim]));
    const rested = (claim) => total(claim.rows.filter(([id]) => asked.gone.has(id)).map(([, weight]) => weight));
    const old = said.map((claim) => {
      const found = later.get(claim.key);
      const measured = ["interest", "pick", "because"].includes(claim.statement[0]) && claim.statement[2] !== "rows";
      const bound = claim.low ?? (1 - SLACK) * claim.value;
      const after = found ? plainly(found.text) : null;
      const kept = after === claim.shown.text ? "kept" : "changed";
      const fate = !found ? "gone" : on.size && rested(claim) >= BACK ? "back" : measured && found.value < bound - 1e-9 ? "weakened" : kept;
      const delta = (found ? found.value : 0) - claim.value;
      const why = none || fate === kept ? null : cause(asked, on, claim.key, fate, delta);
      return { ...claim.shown, after, told: both(claim.shown.text, after ?? claim.shown.text), fate: none ? null : fate, cause: why };
    });
    const known = new Set(said.map((claim) => claim.key));
    const fresh = [...later.values()].filter((claim) => !known.has(claim.key)).map((claim) => {
      const rows = [...claim.rows].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
      return { claim: claim.key, kind: claim.statement[0], section: packed.templates.sections[claim.section], text: plainly(claim.text), after: plainly(claim.text), told: [plainly(claim.text)], rows,
        smallest: fewest(now, on.has("item_weights") ? asked.weights() : model, claim, rows), fate: "new", cause: cause(asked, on, claim.key, "new", claim.value) };
    });
    return [...old, ...fresh];
  }

  /** What made it so, found by switching one thing at a time; see workbench/ledger/causes.py. */
  function cause(asked, on, key, fate, delta) {
    const now = asked.values(on).get(key);
    const undone = (tiers, change = delta) => {
      const then = asked.values(new Set(tiers)).get(key);
      return now === undefined || then === undefined ? Number(now !== then) : (now - then) / change;
    };
    const names = fate === "back" ? whyBack(asked, on, key) : whyChanged(on, undone);
    const share = undone([...on, "tombstone"], fate === "back" ? now : delta);
    const kept = share > 1 - 1e-9 ? names.filter((name) => name !== "log" && name !== OTHERS) : names;
    return [...kept, ...(share > 1e-9 ? [AGAIN] : [])].join(" + ");
  }
  function whyBack(asked, on, key) {
    const [off, everywhere] = [TIERS.filter((tier) => !on.has(tier)), [...on, ...TIERS]];
    const stands = (tiers) => asked.values(new Set(tiers)).has(key);
    if (stands(everywhere)) return [OTHERS];
    const alone = off.filter((tier) => !stands([...on, tier]));
    const together = off.filter((tier) => stands(everywhere.filter((one) => one !== tier)));
    return alone.length ? alone.slice(0, 1) : together.length ? together : off;
  }
  function whyChanged(on, undone) {
    const order = [...TIERS, "tombstone"].filter((tier) => on.has(tier));
    const needed = order.filter((tier) => Math.abs(undone(order.filter((one) => one !== tier))) > 0.5);
    return needed.length ? needed : [order.find((tier) => !(Math.abs(undone([tier])) > 0.5)) ?? "together"];
  }

  /** As many rows of the same shopper outside the topic, product by product: the draws of workbench/ledger/null.py. */
  function placebos(asked, on, topic) {
    const free = mine.filter((row) => !asked.gone.has(row.interaction) && !about(row.item, topic));
    const [products, old] = [itemsOf(free).sort((a, b) => a - b), request([]).values(new Set())];
    const random = generator(packed.random);
    return Array.from({ length: free.length ? DRAWS : 0 }, () => {
      const order = permutation(random, products.length);
      const turn = new Map(products.map((item, at) => [item, order[at]]));
      const drawn = [...free].sort((a, b) => turn.get(a.item) - turn.get(b.item)).slice(0, asked.ids.length);
      const [placebo, own] = [request(drawn.map((row) => row.interaction)), new Set(itemsOf(drawn))];
      const [later, listed] = [placebo.values(on), best(placebo.read(on))];
      return { kind: "placebo rows", rows: drawn.length, gone: [...old.keys()].filter((key) => !later.has(key)).length, others: placebo.others(on).changed,
        again: listed.filter((item) => own.has(item)).length };
    });
  }

  /** Shoppers without the topic who hold about as many products as are left here; see workbench/unlearning/exposure.py. */
  function neverHad(topic, left) {
    if (topic === null) return [];
    const apart = (user) => Math.abs(activity[user] - left);
    const alike = (user) => user !== me && activity[user] && apart(user) <= Math.max(CALIPER * left, LEAST);
    const free = model.rows.map((_, user) => user).filter((user) => alike(user) && !model.rows[user].some((item) => about(item, topic)));
    return free.sort((a, b) => apart(a) - apart(b) || a - b).slice(0, NEVER);
  }
  function shownMost(group, topic) {
    const counts = new Map();
    for (const user of group) for (const item of before[user]) counts.set(item, (counts.get(item) || 0) + 1);
    return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, TOP).map(([item, n]) =>
      ({ item, title: catalogue.title[item], category: catalogue.category[item], topic: about(item, topic), share: Math.round((1e4 * n) / group.length) / 1e4 }));
  }
}

/** The fewest rows under a claim, as workbench/reports/smallest.py finds them: verified by scoring again where it can be. */
function fewest(r, model, { statement: [kind, , relation, object] }, rows) {
  const [ids, item] = [rows.map(([id]) => id), new Map(r.rows.map((row) => [row.interaction, row.item]))];
  if (kind === "because" && relation !== "rows" && object !== "nothing") return ids;
  if (kind === "interest" && relation === "profile") {
    const share = (left) => total(left.filter(([topic]) => topic === object).map((note) => note[2])) / Math.max(total(left.map((note) => note[2])), 1e-300);
    const n = ids.findIndex((_, at) => share(r.profile.filter(([, id]) => !ids.slice(0, at + 1).includes(id))) < SHARE);
    return n < 0 ? ids : ids.slice(0, n + 1);
  }
  const products = new Map();
  for (const [id, weight] of rows) products.set(item.get(id), (products.get(item.get(id)) || 0) + weight);
  const order = [...products].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  if ((kind === "pick" && relation === "pick") || kind === "interest") {
    const had = [...new Set(item.values())];
    const all = [...order.map(([one]) => one), ...had.filter((one) => !products.has(one)).sort((a, b) => a - b)];
    const ended = (without) => {
      const scores = score(model, had.filter((one) => !without.includes(one)));
      const listed = top(scores, [...had, ...r.hidden], r.listed.length);
      return kind === "pick" ? listed[0] !== r.roles.get("pick") : listed.filter((one) => r.catalogue.topics[one].includes(object)).length / listed.length < SHARE;
    };
    const n = all.findIndex((_, at) => ended(all.slice(0, at + 1)));
    let chosen = n < 0 ? [] : all.slice(0, n + 1);
    for (const one of [...chosen]) if (chosen.length > 1 && ended(chosen.filter((other) => other !== one))) chosen = chosen.filter((other) => other !== one);
    const single = n < 0 || chosen.length > 1 ? all.find((one) => ended([one])) : undefined;
    if (single !== undefined) chosen = [single];
    return r.rows.filter((row) => chosen.includes(row.item)).map((row) => row.interaction);
  }
  let carried = 0;
  const half = new Set(order.filter(([, weight]) => carried < 0.5 - 1e-12 && ((carried += weight), true)).map(([one]) => one));
  return ids.filter((id) => half.has(item.get(id)));
}

/** What a change does to everybody else's list. */
function touched(old, now, activity, me) {
  const churn = old.flatMap((list, user) => (user === me || !activity[user] ? [] : [1 - list.filter((item) => now[user].includes(item)).length / Math.max(list.length, 1)]));
  const changed = churn.filter((share) => share > 0).length;
  return { others: churn.length, changed, share: changed / Math.max(churn.length, 1), max_churn: Math.max(0, ...churn) };
}

/** The rarest topic that all removed products share. */
function sharedTopic(items, { topics }) {
  if (!items.length) return null;
  const size = (topic) => topics.filter((own) => own.includes(topic)).length;
  const shared = topics[items[0]].filter((topic) => items.every((item) => topics[item].includes(topic)));
  return shared.sort((a, b) => size(a) - size(b) || (a < b ? -1 : 1))[0] ?? null;
}

/** The score interval of a share (Wilson 1927), 95 %. */
function wilson(hits, n, z = 1.959964) {
  if (!n) return [null, null];
  const [share, scale] = [hits / n, 1 + (z * z) / n];
  const spread = z * Math.sqrt((share * (1 - share)) / n + (z * z) / (4 * n * n));
  return [-1, 1].map((sign) => (share + (z * z) / (2 * n) + sign * spread) / scale);
}

/** A row of the comparison as a line of text; other sentences as they are. */
function plainly(text) {
  const cells = text.startsWith("|") ? text.split("|").map((cell) => cell.trim()).filter(Boolean) : [];
  return cells.length > 1 ? `${cells[0]}: ${cells.slice(1).join(", ")}` : text;
}

/** The words that two forms of a sentence share, and [before, after] where they differ; as `both` in views/screen/state.py. */
function both(text, after) {
  const [old, now] = [text.split(" "), after.split(" ")];
  const least = Math.min(old.length, now.length);
  let [head, tail] = [0, 0];
  while (head < least && old[head] === now[head]) head += 1;
  while (tail < least - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1;
  const inner = [old, now].map((words) => words.slice(head, words.length - tail));
  const pairs = old.length === now.length ? old.map((word, at) => [word, now[at]])
    : [...old.slice(0, head).map((word) => [word, word]), inner.map((words) => words.join(" ")), ...old.slice(old.length - tail).map((word) => [word, word])];
  const parts = [];
  for (const [one, other] of pairs) {
    const last = parts.at(-1);
    if (one === other) typeof last === "string" ? (parts[parts.length - 1] += ` ${one}`) : parts.push(one);
    else if (Array.isArray(last)) [last[0], last[1]] = [`${last[0]} ${one}`, `${last[1]} ${other}`];
    else parts.push([one, other]);
  }
  return parts;
}
