// What the forget screen says in words, from its state alone: forecasts, causes, the line beside the button, the five answers,
// and the margin in a researcher's words. The same as workbench/views/screen/answers.py.

const FEW = 19; // draws below which one may lie beyond all of them by chance, once in twenty
const percent = (share) => `${Math.floor(100 * share + 0.5)} %`;
const count = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
const some = (n, noun) => (n ? count(n, noun) : `no ${noun}`);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const telling = (told) => told.map((part) => (Array.isArray(part) ? part.join(" → ") : part)).join(" ");
const named = (titles, shown) => titles.slice(0, shown).join("; ") + (titles.length > shown ? ` and ${count(titles.length - shown, "more product")}` : "");
const fated = (state, fate) => state.sentences.filter((sentence) => sentence.fate === fate);
const deletedAgain = (state) => (state.lists.after || []).filter((one) => one.deleted);
const pressed = (state) => state.history.some((row) => row.removed);

/** Share of a sentence's support that lies on the picked rows: the forecast of what forgetting them will do. */
export function dependence(sentence, picked) {
  const all = sum(sentence.rows.map(([, weight]) => weight));
  return all > 0 ? sum(sentence.rows.filter(([id]) => picked.has(id)).map(([, weight]) => weight)) / all : 0;
}

/** What a press did, counted in one line; "" before the first. */
export function result(state) {
  if (!pressed(state)) return "";
  const [gone, back, others] = [fated(state, "gone").length, fated(state, "back").length, state.others];
  return [`${some(gone, "sentence")} gone`, back && `${back} came back`, `${some(deletedAgain(state).length, "deleted product")} offered again`,
    others && `${others.changed} of ${count(others.others, "other list")} changed`].filter(Boolean).join(" · ");
}

/** The five questions and their answers: [[question, [line, ...]], ...]; a room shows the first two lines of each. */
export function answers(state, words) {
  const parts = [deletedRows, cameBack, why, elsewhere, certainty];
  return words.questions.map((question, at) => [question, pressed(state) ? parts[at](state, words) : []]);
}

function deletedRows(state) {
  const gone = state.history.filter((row) => row.removed);
  const places = state.switches.filter((one) => one.name !== "tombstone" && one.enabled);
  const [cleaned, left] = [places.filter((one) => one.on && !one.stale), places.filter((one) => !one.on || one.stale)].map((list) => list.map((one) => one.label + (one.stale || one.ways ? ` (${one.stale || one.way})` : "")).join(", "));
  return [`${gone.length} of ${count(state.history.length, "thing")} you did: ${named([...new Set(gone.map((row) => row.title))], 2)}`,
    left && `still in: ${left}`, cleaned && `forgotten in: ${cleaned}`].filter(Boolean);
}

function cameBack(state, words) {
  const [back, again] = [fated(state, "back"), deletedAgain(state)];
  const lines = back.slice(0, 2).map(({ told }) => `↩ ${telling(told).includes("“") ? telling(told) : `“${telling(told)}”`}`);
  if (back.length > 2) lines.push(`↩ and ${count(back.length - 2, "more sentence")}`);
  if (again.length) lines.push(`⟲ ${count(again.length, "deleted product")} offered again: ${named(again.map((one) => one.title), 1)}`);
  if (!lines.length) lines.push("nothing");
  const rest = ["gone", "weakened", "new", "kept", "changed"].map((name) => [fated(state, name).length, words.fate[name][1]]).filter(([n]) => n);
  return rest.length ? [...lines, `the other sentences: ${rest.map(([n, word]) => `${n} ${word}`).join(", ")}`] : lines;
}

function why(state, words) {
  const causes = new Map();
  for (const fate of ["back", "gone", "weakened", "new"]) for (const { cause } of fated(state, fate)) {
    const text = `${words.fate[fate][1]}: ${because(fate, cause, words)}`;
    if (cause) causes.set(text, (causes.get(text) || 0) + 1);
  }
  const lines = [...causes].slice(0, 3).map(([text, n]) => `${text} (${n})`);
  if (deletedAgain(state).length) lines.push("offered again: the shop no longer knows that you had it");
  return lines.length ? lines : ["no sentence rested on these things alone"];
}

/** How many other shoppers' lists changed. */
function elsewhere({ others }) {
  if (!others) return [];
  const lines = [`${others.changed} of ${count(others.others, "other shopper")} get another top ten (${percent(others.share)})`];
  return others.changed ? [...lines, `the most changed of them: ${percent(others.max_churn)} replaced`] : lines;
}

/** The same numbers for requests that should do nothing of the kind; what comes back of their own products, too. */
function certainty(state) {
  const { done, of: all } = state.controls || { done: 0, of: 0 };
  if (done < all) return [`${done} of ${all} comparisons made so far`]; // no verdict before the last
  const draws = state.null || [];
  const [placebo, leaving] = [draws.filter((one) => one.kind === "placebo rows"), draws.filter((one) => one.kind !== "placebo rows")];
  const span = (list, name) => {
    const values = list.map((one) => one[name]);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return low < high ? `${low} to ${high}` : `${low}`;
  };
  const strangers = leaving.length ? `a stranger leaving: ${span(leaving, "others")}` : "";
  if (!placebo.length) return ["nothing else of yours to compare with", strangers && `${strangers} other lists changed`].filter(Boolean);
  return [
    `${count(placebo[0].rows, "other thing")} of yours deleted instead (${count(placebo.length, "draw")}${placebo.length < FEW ? ", too few for a verdict" : ""}): ${span(placebo, "gone")} gone, here ${fated(state, "gone").length}`,
    `${span(placebo, "others")} other lists changed${state.others ? `, here ${state.others.changed}` : ""}${strangers && ` (${strangers})`}`,
    `${span(placebo, "again")} of their products offered again, here ${deletedAgain(state).length}`];
}

/** The line under a list's heading: how much of it is about the topic, before, now, and for people who never had it. */
function topicLine(name, { lists, exposure, topic }) {
  const [group, row] = ["never had", name].map((one) => exposure.find((seen) => seen.row === one));
  const number = (value) => value !== null && value !== undefined;
  if (!topic || !row || !number(row.value)) return "";
  const held = (one) => (lists[one] || []).filter((item) => item.topic).length;
  const met = group && number(group.value) ? `in ${Math.round(group.value * group.n)} of ${count(group.n, "list")}${number(group.low) ? ` [${percent(group.low)}, ${percent(group.high)}]` : ""}` : "";
  const about = `■ ${brief(topic)}`;
  if (name === "never had") return `${about}: ${met}`;
  if (name !== "after") return `${about}: ${held("now")} of ${(lists.now || []).length}`;
  return `${about}: ${held("after")} of ${(lists.after || []).length}, before ${held("now")}${met ? `; ${met} of people who never had it` : ""}`;
}

/** The same in a researcher's words: claims, places, every draw of the null. */
function margin(state, words) {
  const fates = new Map();
  for (const { fate } of state.sentences) if (fate) fates.set(fate, (fates.get(fate) || 0) + 1);
  const lines = [...words.terms];
  if (fates.size) lines.push(`Claims: ${[...fates].sort(([a], [b]) => (a < b ? -1 : 1)).map(([fate, n]) => `${n} ${fate}`).join(", ")}`);
  for (const one of state.switches) lines.push(`${one.label}: ${(words.place[one.name] || [one.label, one.name])[1]}. ${one.help}`);
  for (const one of state.null || []) lines.push(`${one.kind}, ${count(one.rows, "row")}: ${one.gone} gone, ${one.others} others changed${one.kind === "placebo rows" ? `, ${one.again} of its own offered again` : ""}`);
  return state.dropped ? [...lines, `${count(state.dropped, "claim")} failed the check and left out`] : lines;
}

/** A cause in words; several places are joined by + in the state. */
function because(fate, cause, words) {
  return cause ? cause.split(" + ").map((part) => (words.cause[part] ? words.cause[part][Number(fate === "back")] : part)).join(" and ") : "";
}
