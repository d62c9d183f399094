"""Laws of whose data it is: another log is refused, and a row is forgotten once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from workbench.errors import WorkbenchError
from workbench.laws import Law, NotOffered
from workbench.recommend.laws.bench import Bench, reloaded


def _another_log(b: Bench) -> str | None:
    """As many users and items, but each code names another item."""
    other = replace(b.log, items=b.log.items[::-1])
    ids = b.removed.frame["interaction"]
    models = {"": b.fitted(b.log)}
    if hasattr(b.model, "save"):
        models[", once loaded"] = reloaded(b.model)
    for when, model in models.items():
        doors: dict[str, Callable[[], Any]] = {
            "score": lambda model=model: model.score(other.histories(b.histories.user))
        }
        if hasattr(model, "forget"):
            doors["forget"] = lambda model=model: model.forget(other.only(ids))
        if found := answering(doors):
            return f"an answer from {found}{when}"
    return None


def answering(doors: dict[str, Callable[[], Any]]) -> str | None:
    """The first of these doors that refuses nothing."""
    for name, ask in doors.items():
        try:
            ask()
        except WorkbenchError:
            continue
        return name
    return None


def _each_id_once(b: Bench) -> str | None:
    """A row whose user has a second one on the item: the cell does not tell the two apart."""
    frame = b.log.frame
    again = frame.loc[frame.duplicated(["user", "item"]), "interaction"]
    if not len(again):
        raise NotOffered("a log in which somebody has two rows on one item")
    model, once = b.fitted(b.log), b.log.only(again.iloc[:1])
    model.forget(once)
    want = model.score(b.histories).copy()
    if answering({time: lambda: model.forget(once) for time in ("second", "third")}):
        return "a row that could be forgotten twice"
    return b.differs(model, want=want)


IDENTITY: dict[str, Law] = {
    "another log": Law("histories and rows of other indexes refused", _another_log, ("bound",)),
    "forget each id once": Law("a row forgotten twice to be refused", _each_id_once, ("forget",)),
}
"""Every law of whose data it is."""
