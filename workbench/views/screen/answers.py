"""What a forget screen says in words, from its state alone: the line beside the button, the five
answers, and the margin in a researcher's words. `static/screen_answers.js` says the same of the live
one."""

from __future__ import annotations

from collections import Counter
from typing import Any

from workbench.views.screen.told import because, telling, words
from workbench.views.text import brief

State = dict[str, Any]
PLACEBO, FEW = "placebo rows", 19
"""Draws below which one may lie beyond all of them by chance, once in twenty."""


def result(state: State) -> str:
    """What a press did, counted in one line; "" before the first."""
    if not _removed(state):
        return ""
    fates, others = Counter(one["fate"] for one in state["sentences"]), state["others"]
    parts = [f"{_some(fates['gone'], 'sentence')} gone"]
    parts += [f"{fates['back']} came back"] if fates["back"] else []
    parts.append(f"{_some(len(_offered(state)), 'deleted product')} offered again")
    if others:
        of = count(int(others["others"]), "other list")
        parts.append(f"{others['changed']:.0f} of {of} changed")
    return " · ".join(parts)


def answers(state: State) -> list[tuple[str, list[str]]]:
    """The five questions, each with its lines; without lines before the first press. A room shows
    the first two of each."""
    parts = (_deleted, _back, _why, _elsewhere, _certainty)
    told = [part(state) if _removed(state) else [] for part in parts]
    return list(zip(words()["questions"], told, strict=True))


def topic_line(name: str, lists: State, seen: dict[str, State], topic: str | None) -> str:
    """The line under a list's heading: how much of it is about the topic, and after a press how much
    was, and is in the lists of people who never had it; `seen` are the rows of the exposure."""
    group, row = seen.get("never had"), seen.get(name)
    if not topic or row is None or row["value"] is None:
        return ""

    def held(name: str) -> int:
        return sum(one["topic"] for one in lists[name] or ())

    met = ""
    if group is not None and group["value"] is not None:
        hits = f"{group['value'] * group['n']:.0f} of {count(group['n'], 'list')}"
        ends = [percent(group[end]) for end in ("low", "high") if group[end] is not None]
        met = f"in {hits}" + (f" [{', '.join(ends)}]" if ends else "")
    about = f"■ {brief(topic)}"
    if name == "never had":
        return f"{about}: {met}"
    if name != "after":
        return f"{about}: {held('now')} of {len(lists['now'] or ())}"
    told = f"{about}: {held('after')} of {len(lists['after'] or ())}, before {held('now')}"
    return f"{told}; {met} of people who never had it" if met else told


def margin(state: State) -> list[str]:
    """The same in a researcher's words: claims, places, every draw of the null."""
    lines = list(words()["terms"])
    fates = Counter(one["fate"] for one in state["sentences"] if one["fate"])
    if fates:
        lines.append("Claims: " + ", ".join(f"{fates[fate]} {fate}" for fate in sorted(fates)))
    for one in state["switches"]:
        named = words()["place"].get(one["name"], [one["label"], one["name"]])
        lines.append(f"{one['label']}: {named[1]}. {one['help']}")
    for one in _draws(state):
        again = f", {one['again']} of its own offered again" if one["kind"] == PLACEBO else ""
        told = f"{one['kind']}, {count(one['rows'], 'row')}: {one['gone']} gone"
        lines.append(f"{told}, {one['others']} others changed{again}")
    if state.get("dropped"):
        lines.append(f"{count(state['dropped'], 'claim')} failed the check and left out")
    return lines


def count(n: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "row"), count(2, "row")
    ('1 row', '2 rows')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


def percent(share: float) -> str:
    """A share in whole per cent, a half upwards as in a browser.

    >>> percent(0.125)
    '13 %'
    """
    return f"{int(100 * share + 0.5)} %"


def _some(n: int, noun: str) -> str:
    return count(n, noun) if n else f"no {noun}"


def _removed(state: State) -> list[dict[str, Any]]:
    return [row for row in state["history"] if row["removed"]]


def _offered(state: State) -> list[dict[str, Any]]:
    return [one for one in state["lists"]["after"] or () if one["deleted"]]


def _fated(state: State, fate: str) -> list[dict[str, Any]]:
    return [one for one in state["sentences"] if one["fate"] == fate]


def _named(titles: list[str], shown: int) -> str:
    more = len(titles) - shown
    rest = f" and {count(more, 'more product')}" if more > 0 else ""
    return "; ".join(titles[:shown]) + rest


def _deleted(state: State) -> list[str]:
    gone = _removed(state)
    titles = [*dict.fromkeys(row["title"] for row in gone)]
    lines = [f"{len(gone)} of {count(len(state['history']), 'thing')} you did: {_named(titles, 2)}"]
    cleaned, left = [], []
    for one in state["switches"]:
        if one["name"] == "tombstone" or not one["enabled"]:
            continue
        how = one.get("stale") or (one["way"] if one.get("ways") else "")
        where = left if not one["on"] or one.get("stale") else cleaned
        where.append(one["label"] + (f" ({how})" if how else ""))
    lines += [f"still in: {', '.join(left)}"] if left else []
    return [*lines, f"forgotten in: {', '.join(cleaned)}"] if cleaned else lines


def _back(state: State) -> list[str]:
    back, again = _fated(state, "back"), _offered(state)
    quoted = (telling(one["told"]) for one in back[:2])
    lines = [f"↩ {text}" if "“" in text else f"↩ “{text}”" for text in quoted]
    lines += [f"↩ and {count(len(back) - 2, 'more sentence')}"] if len(back) > 2 else []
    if again:
        named = _named([one["title"] for one in again], 1)
        lines.append(f"⟲ {count(len(again), 'deleted product')} offered again: {named}")
    lines = lines or ["nothing"]
    names = {
        fate: words()["fate"][fate][1] for fate in ("gone", "weakened", "new", "kept", "changed")
    }
    rest = [f"{n} {name}" for fate, name in names.items() if (n := len(_fated(state, fate)))]
    return [*lines, f"the other sentences: {', '.join(rest)}"] if rest else lines


def _why(state: State) -> list[str]:
    causes: Counter[str] = Counter()
    for fate in ("back", "gone", "weakened", "new"):
        for one in _fated(state, fate):
            if why := because(fate, one["cause"], state.get("causes")):
                causes[f"{words()['fate'][fate][1]}: {why}"] += 1
    lines = [f"{text} ({n})" for text, n in [*causes.items()][:3]]
    if _offered(state):
        lines.append("offered again: the shop no longer knows that you had it")
    return lines or ["no sentence rested on these things alone"]


def _elsewhere(state: State) -> list[str]:
    others = state["others"]
    if not others:
        return []
    of = count(int(others["others"]), "other shopper")
    lines = [f"{others['changed']:.0f} of {of} get another top ten ({percent(others['share'])})"]
    most = f"the most changed of them: {percent(others['max_churn'])} replaced"
    return [*lines, most] if others["changed"] else lines


def _certainty(state: State) -> list[str]:
    done = state.get("controls") or {"done": 0, "of": 0}
    # no verdict before the last
    if done["done"] < done["of"]:
        return [f"{done['done']} of {done['of']} comparisons made so far"]
    draws = _draws(state)
    placebo = [one for one in draws if one["kind"] == PLACEBO]
    leaving = [one for one in draws if one["kind"] != PLACEBO]
    strangers = f"a stranger leaving: {_span(leaving, 'others')}" if leaving else ""
    if not placebo:
        alone = ["nothing else of yours to compare with"]
        return [*alone, f"{strangers} other lists changed"] if strangers else alone
    # other things of this shopper, against the request
    few = ", too few for a verdict" if len(placebo) < FEW else ""
    asked = count(placebo[0]["rows"], "other thing")
    gone, again = len(_fated(state, "gone")), len(_offered(state))
    drawn = count(len(placebo), "draw") + few
    here = f", here {state['others']['changed']:.0f}" if state["others"] else ""
    beside = f" ({strangers})" if strangers else ""
    return [
        f"{asked} of yours deleted instead ({drawn}): {_span(placebo, 'gone')} gone, here {gone}",
        f"{_span(placebo, 'others')} other lists changed{here}{beside}",
        f"{_span(placebo, 'again')} of their products offered again, here {again}",
    ]


def _draws(state: State) -> list[dict[str, Any]]:
    return state.get("null") or []


def _span(draws: list[dict[str, Any]], name: str) -> str:
    values = [one[name] for one in draws]
    low, high = min(values), max(values)
    return f"{low} to {high}" if low < high else str(low)
