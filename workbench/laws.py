"""Laws and findings: one table for every verdict, of a model, a score, a loss, a data set, a
machine.

A law is a question that is answered by nothing where it holds, or by what was found instead. What
asks for a verdict brings its laws; the asking, the table and its words are here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from workbench import html

if TYPE_CHECKING:
    import pandas as pd


class NotOffered(Exception):
    """What is asked offers nothing that a law could be asked of; the text says what is absent."""


class Law(NamedTuple):
    """What is expected, the question, and what the asked must offer: names of its attributes."""

    expected: str
    holds: Callable[..., str | None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What was found: one row a question.

    frame: its first column names the question; `ok` is True, False, or <NA> where it was not asked
    or needs no judgement; the others say what was found. words: how the three read. told: the
    verdict in one line; counts unless told.

    >>> import pandas as pd
    >>> frame = pd.DataFrame({"check": ["rows"], "ok": [True], "found": ["3"]})
    >>> Findings("log", frame.astype({"ok": "boolean"}))
    Findings(log: 1 hold, 0 broken, 0 not asked)
    """

    about: str
    frame: pd.DataFrame
    words: tuple[str, str, str] = ("hold", "broken", "not asked")
    told: str = ""

    @property
    def ok(self) -> bool:
        """Nothing is broken."""
        return not self.broken

    @property
    def broken(self) -> list[str]:
        """The questions whose answer is no."""
        wrong = (~self.frame["ok"]).fillna(False)
        return list(self.frame.loc[wrong].iloc[:, 0])

    def to_frame(self) -> pd.DataFrame:
        """One row a question."""
        return self.frame

    def __repr__(self) -> str:
        if self.told:
            return self.told
        held = int(self.frame["ok"].sum())
        silent = int(self.frame["ok"].isna().sum())
        counts = zip((held, len(self.broken), silent), self.words, strict=True)
        return f"Findings({self.about}: {', '.join(f'{n} {word}' for n, word in counts)})"

    def __str__(self) -> str:
        return f"{self._read().to_string(index=False)}\n{self!r}"

    def _repr_html_(self) -> str:
        """What is broken, and everything folded."""
        rows = self._read()
        wrong = rows.loc[(~self.frame["ok"]).fillna(False)].to_dict("records")
        every = html.table(rows.to_dict("records"))
        folded = f"<details><summary>all {len(rows)}</summary>{every}</details>"
        return f"<p>{html.escape(repr(self))}</p>{html.table(wrong) if wrong else ''}{folded}"

    def _read(self) -> pd.DataFrame:
        """The frame with words for True, False and <NA>."""
        said = {True: self.words[0], False: self.words[1]}
        result = [said.get(ok, self.words[2]) for ok in self.frame["ok"]]
        return self.frame.assign(ok=result).rename(columns={"ok": "result"})


def hold(
    about: str,
    laws: Mapping[str, Law],
    case: Callable[[], tuple[Any, ...]],
    of: Any = None,
    unasked: Mapping[str, str] | None = None,
) -> Findings:
    """Ask one law after the other: `Findings` with a frame [law, ok, detail].

    case: makes the arguments of a law, so that what one law finds changed the next need not see.
    of: the object whose attributes decide which laws are asked. unasked: law → why it is left out.
    The first law is what all others stand on: when it is broken, they are not asked. Whatever a
    foreign object raises breaks the law that was asked, and stands in the table.

    >>> hold("3", {"odd": Law("an odd number", lambda n: None if n % 2 else "even")}, lambda: (3,))
    Findings(3: 1 hold, 0 broken, 0 not asked)
    """
    import pandas as pd

    rows: list[tuple[str, Any, str]] = []
    for name, law in laws.items():
        reason = _unasked(law, of, (unasked or {}).get(name))
        if not reason:
            try:
                found = law.holds(*case())
            except NotOffered as nothing:
                reason = f"not offered: {nothing}"
            except Exception as error:
                found = f"{type(error).__name__}: {error}"
        if reason:
            rows.append((name, pd.NA, reason))
            continue
        detail = f"expected: {law.expected}; found: {found}" if found else ""
        rows.append((name, not found, detail))
        if found and len(rows) == 1:
            break
    frame = pd.DataFrame(rows, columns=["law", "ok", "detail"]).astype({"ok": "boolean"})
    return Findings(about, frame)


def _unasked(law: Law, of: Any, reason: str | None) -> str | None:
    absent = [name for name in law.needs if not hasattr(of, name)]
    return f"not offered: {', '.join(absent)}" if absent else reason
