// What the forget screen says in words, from its state alone: forecasts, causes, and the five answers under the columns.

const percent = (share) => `${Math.round(100 * share)} %`;
const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const telling = (told) => told.map((part) => (Array.isArray(part) ? part.join(" → ") : part)).join(" ");
const quote = (text) => (text.includes("“") ? text : `“${text}”`);

/** Share of a sentence's support that lies on the picked rows: the forecast of what forgetting them will do. */
export function dependence(sentence, picked) {
  const all = sum(sentence.rows.map(([, weight]) => weight));
  return all > 0 ? sum(sentence.rows.filter(([id]) => picked.has(id)).map(([, weight]) => weight)) / all : 0;
}

/** The five questions and their answers, from the state alone: [[question, [line, ...]], ...]. */
export function answers(state, words) {
  const gone = state.history.filter((row) => row.removed);
  if (!gone.length) return words.questions.map((question) => [question, []]);
  const titles = [...new Set(gone.map((row) => row.title))];
  const tiers = state.switches.filter((one) => one.name !== "tombstone" && one.enabled);
  const [cleaned, left] = [tiers.filter((one) => one.on && !one.stale), tiers.filter((one) => !one.on || one.stale)].map((list) => list.map((one) => one.label + (one.stale || one.ways ? ` (${one.stale || one.way})` : "")).join(", "));
  const deleted = [
    `${gone.length} of ${count(state.history.length, "row")}: ${titles.slice(0, 2).join("; ")}${titles.length > 2 ? ` and ${count(titles.length - 2, "more product")}` : ""}`,
    cleaned && `taken from: ${cleaned}`, left && `left in: ${left}`].filter(Boolean);
  const fates = (name) => state.sentences.filter((sentence) => sentence.fate === name);
  const offered = (state.lists.after || []).filter((one) => one.deleted);
  const back = [
    ...fates("back").slice(0, 2).map((sentence) => `↩ ${quote(telling(sentence.told))}`),
    fates("back").length > 2 && `↩ and ${fates("back").length - 2} more sentences`,
    offered.length && `⟲ ${count(offered.length, "deleted item")} offered again`,
    !fates("back").length && !offered.length && "nothing",
  ].filter(Boolean);
  const rest = ["gone", "weakened", "new", "kept", "changed"].map((name) => [fates(name).length, words.fate[name][1]]).filter(([n]) => n);
  if (rest.length) back.push(`the other sentences: ${rest.map(([n, word]) => `${n} ${word}`).join(", ")}`);
  const causes = new Map();
  for (const fate of ["back", "gone", "weakened", "new"])
    for (const { cause } of fates(fate)) if (cause) causes.set(`${words.fate[fate][1]}: ${because(fate, cause, words)}`, (causes.get(`${words.fate[fate][1]}: ${because(fate, cause, words)}`) || 0) + 1);
  const why = [...causes].slice(0, 3).map(([text, n]) => `${text} (${n})`);
  if (offered.length) why.push("offered again: no row of the log says any more that it was had");
  if (!why.length) why.push("no sentence rested on these rows alone");
  return words.questions.map((question, at) => [question, [deleted, back, why, elsewhere(state), certainty(state, fates("gone").length, offered.length)][at]]);
}

/** How many other shoppers' lists changed. */
function elsewhere({ others }) {
  if (!others) return [];
  const lines = [`${others.changed} of ${others.others} other shoppers get another top 10 (${percent(others.share)})`];
  return others.changed ? [...lines, `the most changed of them: ${percent(others.max_churn)} replaced`] : lines;
}

/** The same numbers for requests that should do nothing of the kind; what comes back of their own products, too. */
function certainty(state, gone, offered) {
  const range = (numbers) => (Math.min(...numbers) === Math.max(...numbers) ? `${numbers[0]}` : `${Math.min(...numbers)} to ${Math.max(...numbers)}`);
  const of = (kind) => (state.null || []).filter((draw) => draw.kind === kind);
  const [placebo, leaving] = [of("placebo rows"), of("another shopper leaves")];
  const lines = [];
  const { done, of: all } = state.controls || { done: 0, of: 0 };
  if (done < all) return [`${done} of ${all} controls so far`]; // no verdict before the last
  if (placebo.length) {
    const draws = `${range(placebo.map((draw) => draw.gone))} in ${count(placebo.length, "draw")}, too few for a verdict`;
    lines.push(`${count(gone, "sentence")} gone; with other rows of this shopper ${draws}`);
    const again = placebo.map((draw) => draw.again);
    const back = Math.max(offered, ...again) ? `; ${range(again)} of their items offered again, against ${offered} here` : "";
    lines.push(`taking those rows instead changes ${range(placebo.map((draw) => draw.others))} other lists${back}`);
  }
  if (!placebo.length) lines.push("no other rows of this shopper to compare with");
  if (leaving.length) lines.push(`a stranger leaving changes ${range(leaving.map((draw) => draw.others))} lists`);
  return lines;
}

/** A cause in words; several places are joined by + in the state. */
function because(fate, cause, words) {
  return cause ? cause.split(" + ").map((part) => (words.cause[part] ? words.cause[part][Number(fate === "back")] : part)).join(" and ") : "";
}
