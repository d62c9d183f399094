// What a report may say, and whether it still holds: what workbench/reports decides in evidence.py, offers.py,
// rules.py and writer.py, said again for a page that has no Python; a test holds the two together word for word.

const [LIST, SHARE, AGAINST] = [20, 0.15, 0.02];
const code = (name) => Number(name.slice(5)); // "item:5" → 5
const total = (numbers) => numbers.reduce((a, b) => a + b, 0);
const up = (numbers) => numbers.map((one) => Math.max(one, 0));

/** A shopper as a report sees them. rows: what the scores rest on; log: what is never offered again; hidden: taken out
 *  of the list; profile: [topic, interaction, weight] of the stored summary. */
export function reading({ model, rows, log, hidden, catalogue, profile, name }) {
  const items = [...new Set(rows.map((row) => row.item))];
  const scores = score(model, items);
  for (const item of hidden) scores[item] = -Infinity;
  const ranked = top(scores, log.map((row) => row.item), model.items).filter((item) => scores[item] > -Infinity);
  const held = new Map();
  for (const row of rows) held.set(row.item, (held.get(row.item) || 0) + 1);
  const known = new Map();
  const weights = (i) => known.get(i) ?? known.set(i, rows.map(({ item: j }) => (i === j ? 0 : -model.P[j * model.items + i] / model.P[i * model.items + i] / held.get(j)))).get(i);
  return { name, rows, hidden, scores, ranked, listed: ranked.slice(0, LIST), roles: rolesOf(ranked, catalogue), weights, catalogue, profile };
}

// offers.py: what an item costs (cheaper) or is rated (upgrade) beyond another, NaN where they are of different kinds
const BESIDE = { cheaper: -1, upgrade: 1 };
const difference = (role, item, other, { kind, price, rating }) => {
  const values = role === "cheaper" ? price : rating;
  return kind[other] && kind[item] === kind[other] ? values[item] - values[other] : NaN;
};
const fits = (role, item, other, catalogue) => difference(role, item, other, catalogue) * BESIDE[role] > 0;

function rolesOf(ranked, catalogue) {
  if (!ranked.length) return new Map();
  const [pick, ...rest] = ranked;
  const roles = new Map([["pick", pick]]);
  for (const role in BESIDE) {
    const found = rest.find((item) => fits(role, item, pick, catalogue));
    if (found !== undefined) roles.set(role, found);
  }
  if (roles.size === 1 && rest.length) roles.set("alternative", rest[0]);
  return roles;
}

/** Items of the history that speak most for (sign 1) or against (−1) an item. */
function strongest(r, item, sign) {
  const [signed, by] = [r.weights(item), new Map()];
  r.rows.forEach((row, at) => by.set(row.item, (by.get(row.item) || 0) + sign * signed[at]));
  const floor = (sign > 0 ? 1e-9 : AGAINST) * total(up(signed));
  return [...by].filter(([, weight]) => weight > 0 && weight >= floor).sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([one]) => one);
}

const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
};

/** [value, weight of every row] of a statement, or null where it does not hold. */
const rules = {
  interest(r, _, relation, topic) {
    const about = (item) => r.catalogue.topics[item].includes(topic);
    const within = r.listed.filter(about);
    if (relation === "list") return [within.length / r.listed.length, r.rows.map((_, at) => total(within.map((item) => Math.max(r.weights(item)[at], 0))))];
    const own = r.profile.filter(([entity]) => entity === topic);
    return [total(own.map(([, , weight]) => weight)) / total(r.profile.map(([, , weight]) => weight)), null, own.map(([, id, weight]) => [id, weight])];
  },
  pick(r, _, role, item) {
    return r.roles.get(role) === code(item) ? [r.scores[code(item)], up(r.weights(code(item)))] : null;
  },
  because(r, subject, relation, object) {
    const [signed, sign] = [r.weights(code(subject)), relation === "because" ? 1 : -1];
    const all = total(up(signed));
    if (relation === "rows") {
      let [sum, n] = [0, 0];
      for (const weight of up(signed).sort((a, b) => b - a)) if (((n += 1), (sum += weight)) >= all / 2 - 1e-12) break;
      return [n, up(signed)];
    }
    if (object === "nothing") return strongest(r, code(subject), -1).length ? null : [0, up(signed)];
    const own = signed.map((weight, at) => (r.rows[at].item === code(object) ? weight * sign : 0));
    return total(own) / all < (sign < 0 ? AGAINST : 1e-9) ? null : [total(own) / all, up(own)];
  },
  compare(r, subject, relation, object) {
    const [item, { price }] = [code(subject), r.catalogue];
    if (relation === "usual price") {
      const usual = median(r.rows.map((row) => price[row.item]).filter(Number.isFinite));
      return Number.isFinite(price[item] - usual) ? [price[item] - usual, r.rows.map((row) => Number(Number.isFinite(price[row.item])))] : null;
    }
    if (relation.startsWith("no ")) {
      const role = relation.slice(3);
      const alike = r.ranked.filter((one) => r.catalogue.kind[one] === object);
      return [item, ...alike].every((one) => difference(role, one, item, r.catalogue) * BESIDE[role] <= 0) ? [NaN, up(r.weights(item))] : null;
    }
    const other = code(object);
    const behind = relation === "behind";
    const value = behind ? r.scores[other] - r.scores[item] : difference(relation, item, other, r.catalogue);
    const holds = behind ? value >= 0 : fits(relation, item, other, r.catalogue);
    return holds && [...r.roles.values()].includes(other) ? [value, up(r.weights(item))] : null;
  },
  catalogue_fact(r, subject, relation) {
    return [relation === "price" ? r.catalogue.price[code(subject)] : NaN, up(r.weights(code(subject)))];
  },
};

/** All claims that hold: [{key, statement, value, rows: [[interaction, weight], ...]}]. */
function claims(r) {
  const made = [];
  for (const statement of propose(r)) {
    const [kind, subject] = statement;
    if (subject.startsWith("item:") && ![...r.roles.values()].includes(code(subject))) continue;
    const found = rules[kind](r, ...statement.slice(1));
    if (!found || (kind === "interest" && !(found[0] >= SHARE))) continue;
    const rows = (found[2] || r.rows.map((row, at) => [row.interaction, found[1][at]])).filter(([, weight]) => weight > 1e-12);
    const all = total(rows.map(([, weight]) => weight));
    if (rows.length) made.push({ key: JSON.stringify(statement), statement, value: found[0], rows: rows.map(([id, weight]) => [id, weight / all]) });
  }
  return made;
}

function propose(r) {
  const { brand, category, kind, price, topics } = r.catalogue;
  const said = [...r.roles].map(([role, item]) => ["pick", r.name, role, `item:${item}`]);
  if (r.roles.has("pick")) {
    const pick = r.roles.get("pick");
    const name = `item:${pick}`;
    for (const [fact, is] of [["category", category[pick]], ["brand", brand[pick]]]) if (is && is !== "unknown") said.push(["catalogue_fact", name, fact, is]);
    said.push(["catalogue_fact", name, "price", Number.isFinite(price[pick]) ? price[pick].toFixed(2) : "unknown"]);
    for (const item of strongest(r, pick, 1).slice(0, 2)) said.push(["because", name, "because", `item:${item}`]);
    for (const [role, item] of r.roles) if (role !== "pick") said.push(["compare", `item:${item}`, role in BESIDE ? role : "behind", name]);
    for (const role in BESIDE) if (!r.roles.has(role)) said.push(["compare", name, `no ${role}`, kind[pick]]);
    const [against] = strongest(r, pick, -1);
    said.push(["compare", name, "usual price", r.name], ["because", name, "against", against === undefined ? "nothing" : `item:${against}`], ["because", name, "rows", r.name]);
  }
  const largest = (pairs, all) => {
    const held = new Map();
    for (const [topic, weight] of pairs) held.set(topic, (held.get(topic) || 0) + weight);
    return [...held].filter(([, sum]) => sum >= SHARE * all).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 3);
  };
  const listed = r.listed.flatMap((item) => topics[item].map((topic) => [topic, 1]));
  const stored = r.profile.map(([topic, , weight]) => [topic, weight]);
  for (const [topic] of largest(listed, r.listed.length)) said.push(["interest", r.name, "list", topic]);
  for (const [topic] of largest(stored, total(stored.map(([, weight]) => weight)))) said.push(["interest", r.name, "profile", topic]);
  return said;
}

/** The claims with the section and text that say them, in the order of the page. */
export function page(r, templates) {
  const before = new Set();
  const said = claims(r).map((claim) => {
    const manner = claim.statement[0] + claim.statement[2];
    const [section, text] = sentence(claim, r.rows.length, r.catalogue, templates, before.has(manner));
    before.add(manner);
    return { ...claim, section, text };
  });
  const order = Object.keys(templates.sections);
  return said.sort((a, b) => order.indexOf(a.section) - order.indexOf(b.section));
}

/** Section and text of a claim, from the templates of workbench/reports/sentences.toml. */
function sentence({ statement: [kind, subject, relation, object], value }, rows, catalogue, templates, again) {
  const shorten = (text, most, letters = 60) => {
    const runs = visible(text).replaceAll("|", "/").split(/\s+/).filter(Boolean);
    const short = runs.slice(0, most).join(" ");
    const cut = [...short].length > letters ? [...short].slice(0, letters - 1).join("").trimEnd() : short;
    return cut + (runs.length > most || cut !== short ? " …" : "");
  };
  const fields = { object: shorten(object, 4), percent: `${(100 * value).toFixed(0)}%`, difference: Math.abs(value).toFixed(2), count: value.toFixed(0),
    rows: rows === 1 ? "this one row" : `these ${rows.toLocaleString("en")} rows` };
  const named = kind === "compare" ? subject : object;
  if (named.startsWith("item:")) {
    fields.item = `“${shorten(catalogue.title[code(named)], 6)}”`;
    fields.price = Number.isFinite(catalogue.price[code(named)]) ? catalogue.price[code(named)].toFixed(2) : "unknown";
  }
  let form = relation;
  if (kind === "because") form = object === "nothing" ? "nothing" : relation === "rows" && value === 1 ? "one" : relation;
  if (relation === "usual price") form = value > 0.005 ? "above" : value < -0.005 ? "below" : "equal";
  const byRelation = { "usual price": form === "above" ? "against" : "pick", against: "against", rows: "unknown", because: "why", "no cheaper": "beside", "no upgrade": "beside" };
  const byKind = { pick: relation === "pick" ? "pick" : "beside", interest: "why", compare: "comparison" };
  const section = byRelation[relation] || byKind[kind] || (relation === "price" ? "comparison" : "pick");
  if (again && templates[kind][`${form} again`]) form = `${form} again`;
  return [section, templates[kind][form].replace(/\{(\w+)\}/g, (_, field) => fields[field])];
}
