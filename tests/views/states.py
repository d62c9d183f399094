"""A hand-made state of the forget screen, small enough to read, with titles that would love to be
markup."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

IMG = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>alert(2)</script><!-- \u2028 &amp; \"' {{7*7}}"
TITLES = ("The Hollow", IMG, SCRIPT, "Copper pan", "Nine Lanterns")


def _row(interaction: int, item: int, topic: str) -> dict[str, Any]:
    return {
        "interaction": interaction,
        "when": "2 Mar",
        "action": "purchase",
        "item": item,
        "title": TITLES[item],
        "category": topic,
        "topics": [topic],
        "price": 9.5,
        "removed": False,
    }


def _item(item: int, **more: Any) -> dict[str, Any]:
    known = {
        "item": item,
        "title": TITLES[item],
        "category": IMG,
        "topic": item < 3,
        "deleted": False,
        "score": 1.0,
    }
    return known | more


def _sentence(claim: str, text: str, rows: list, smallest: list[int]) -> dict[str, Any]:
    known = {
        "claim": claim,
        "kind": "pick",
        "section": f"Pick {IMG}",
        "text": text,
        "told": [text],
        "fate": None,
        "cause": None,
    }
    return known | {"rows": rows, "smallest": smallest}


def start() -> dict[str, Any]:
    """Nothing forgotten yet: four rows, three sentences."""
    tiers = [("log", True, True), ("profile", True, True), ("user_vector", False, False)]
    tiers += [("item_weights", True, True), ("tombstone", False, True)]
    return {
        "user": {"code": 3, "name": f"shopper {IMG}"},
        "topic": IMG,
        "history": [
            _row(17, 0, IMG),
            _row(23, 1, IMG),
            _row(42, 2, SCRIPT),
            _row(51, 3, "Kitchen"),
        ],
        "sentences": [
            _sentence("aa", f"Our pick is {IMG}.", [[17, 0.6], [23, 0.3], [42, 0.1]], [17]),
            _sentence("bb", f"You like {SCRIPT}.", [[42, 1.0]], [42]),
            _sentence("cc", "A pan costs 9.50.", [], []),
        ],
        "lists": {"now": [_item(1), _item(4)], "after": None, "never": [_item(2, share=0.4)]},
        "switches": [
            {
                "name": name,
                "label": name.replace("_", " "),
                "on": on,
                "enabled": enabled,
                "help": f"help {IMG}",
            }
            for name, on, enabled in tiers
        ],
        "exposure": [
            {"row": "as served before", "value": 1.0, "low": None, "high": None, "n": 1},
            {"row": "never had", "value": 0.4, "low": 0.3, "high": 0.5, "n": 120},
        ],
        "others": {"others": 399.0, "changed": 0.0, "share": 0.0, "max_churn": 0.0},
        "null": [
            {"kind": "another shopper leaves", "rows": 9, "gone": 0, "others": 35, "again": 0}
        ],
        "seconds": 0.01,
    }


def after(action: dict[str, Any]) -> dict[str, Any]:
    """A pretend service: what an action leads to (a plain function of the action, as the real one
    is)."""
    state = deepcopy(start())
    gone = set(action["interactions"])
    unknown = gone - {row["interaction"] for row in state["history"]}
    if unknown:
        raise ValueError(f"no row {min(unknown)} {IMG}")
    for row in state["history"]:
        row["removed"] = row["interaction"] in gone
    for one in state["switches"]:
        one["on"] = bool(action["switches"].get(one["name"], one["on"]))
    state["topic"] = action["topic"]
    if gone:
        for one, fate, cause in zip(
            state["sentences"],
            ("back", "gone", "kept"),
            ("implied by other rows", None, None),
            strict=True,
        ):
            one["fate"], one["cause"] = fate, cause
        state["lists"]["after"] = [_item(4), _item(1, deleted=True)]
        state["exposure"].insert(
            1, {"row": "after", "value": 1.0, "low": None, "high": None, "n": 1}
        )
        state["others"] |= {"changed": 38.0, "share": 0.095, "max_churn": 0.2}
        state["null"].insert(
            0, {"kind": "placebo rows", "rows": 1, "gone": 0, "others": 31, "again": 0}
        )
    return state
