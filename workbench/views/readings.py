"""Blinded readings: two pages side by side, which is which unknown, the choice kept.

The order of the two is drawn for each reader and pair, and stored with the choice; the shopper's last
visits are shown, or hidden. What comes out is the table of `workbench.reports.judges.ask`, a row an
answer, and goes through the same estimates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.errors import ConfigError, DataError, check_number, typed
from workbench.html import escape, visible
from workbench.html import table as as_table
from workbench.reports import judges
from workbench.reports.forms import cells, page_table
from workbench.views.look import COLUMNS, PANEL
from workbench.views.paper import foreign_file, other_suffix
from workbench.views.text import brief, unarmed
from workbench.whole import whole_file

CARD = f"flex:1 1 20em;min-width:0;padding:.4em .8em;border-radius:4px;{PANEL}"
HEAD = ["reader", "pair", "first", "second", "chosen", "visits", "seed"]
"""Columns of the table of choices, and the first line of its file."""
LETTERS = "AB"


@typed
class Readings:
    """Pairs of pages to be read, and what readers chose.

    pairs: `judges.Pair`, each with two pages by what they are. reader: who reads now; may be changed.
    shown: whether the visits are shown now; may be changed. choices: [reader, pair, first, second,
    chosen, visits, seed], a row an answer; chosen "" where neither was. `show(readings).widget()` is
    the live form, `export(readings, "choices.csv")` the file.

    Raises `DataError` for no pairs, two of one name, and pairs that are not two pages.

    >>> readings = Readings([judges.Pair("1", {"own": "A page.", "other": "Another."})])
    >>> readings.choose("1", 0).choices["chosen"].tolist() == [readings.order("1")[0]]
    True
    """

    def __init__(
        self,
        pairs: Iterable[judges.Pair],
        reader: str = "reader 1",
        shown: bool = True,
        seed: int = 0,
    ) -> None:
        listed = list(pairs)
        good = [isinstance(pair, judges.Pair) and len(pair.pages) == 2 for pair in listed]
        if not good or not all(good):
            raise DataError("no pair, or one that is not two pages", "pairs", "two pages a pair")
        self.pairs = {pair.name: pair for pair in listed}
        if len(self.pairs) < len(listed):
            raise DataError("two pairs of one name", "pairs", "a name for each")
        check_number(0, seed=seed)
        self.reader, self.shown, self.seed = reader, shown, seed
        self._chosen: dict[tuple[str, str], tuple[str, bool]] = {}

    # --- reading ---

    def order(self, pair: str) -> tuple[str, str]:
        """What stands first and second for the reader: drawn by seed, reader and pair, and the same
        whenever it is asked for. Raises `ConfigError` for a pair that is none."""
        if pair not in self.pairs:
            raise ConfigError(f"no pair {pair!r}", "pair", ", ".join(list(self.pairs)[:5]))
        return self._order(self.reader, pair)

    def _order(self, reader: str, pair: str) -> tuple[str, str]:
        drawn = hashlib.sha256(f"{self.seed}\0{reader}\0{pair}".encode()).digest()[0] % 2
        one, other = self.pairs[pair].pages
        return (other, one) if drawn else (one, other)

    @property
    def next(self) -> str | None:
        """The first pair that the reader has not answered; None where all are."""
        return next((name for name in self.pairs if (self.reader, name) not in self._chosen), None)

    def choose(self, pair: str, place: int | None) -> Readings:
        """Keep the reader's answer: 0 for the page shown first, 1 for the second, None for neither.
        An answer stays as it was first given: raises `ConfigError` for a second one."""
        order = self.order(pair)
        if isinstance(place, bool | float) or place not in (0, 1, None):
            raise ConfigError(f"place {place!r}", "choose", "0, 1 or None")
        if (self.reader, pair) in self._chosen:
            what = f"{self.reader} has answered {pair}"
            raise ConfigError(what, "choose", "one answer a reader and pair")
        chosen = "" if place is None else order[place]
        self._chosen[self.reader, pair] = chosen, self.shown
        return self

    @property
    def choices(self) -> pd.DataFrame:
        """Every answer, in the order in which they were given."""
        rows = []
        for (reader, pair), (chosen, shown) in self._chosen.items():
            visits = "shown" if shown else "hidden"
            rows.append((reader, pair, *self._order(reader, pair), chosen, visits, self.seed))
        return pd.DataFrame(rows, columns=HEAD)

    def results(self) -> pd.DataFrame:
        """What was chosen: [visits, what, share, low, high, n], by whether the visits were shown; what
        stood first, one half being no sign of a preference."""
        rows = []
        for visits, part in self.choices.groupby("visits", sort=True):
            names = dict.fromkeys(part[["first", "second"]].to_numpy().ravel())
            told = {name: judges.preferred(part, name) for name in sorted(names)}
            told["what stood first"] = judges.position(part)
            rows += [{"visits": visits, "what": name, **found} for name, found in told.items()]
        return pd.DataFrame(rows, columns=["visits", "what", "share", "low", "high", "n"])

    # --- how it looks ---

    def drawn(self) -> str:
        """The next pair as escaped HTML, without a word on which page is which; at the end, the
        results."""
        if self.next is None:
            told = as_table(self.results().to_dict("records"), digits=2)
            return f"<p>All {len(self.pairs):,} pairs are read. What was chosen:</p>{told}"
        pair = self.pairs[self.next]
        at = list(self.pairs).index(self.next) + 1
        parts = [f"<p>Pair {at:,} of {len(self.pairs):,}. Which page would you rather have?</p>"]
        if self.shown and pair.visits:
            lines = "<br>".join(escape(line) for line in pair.visits.splitlines())
            parts.append(f"<p><b>What the shopper did last</b><br>{lines}</p>")
        pages = [
            f'<section style="{CARD}"><h3>Page {letter}</h3>{page_of(pair.pages[name])}</section>'
            for letter, name in zip(LETTERS, self.order(self.next), strict=True)
        ]
        return f'{"".join(parts)}<div style="{COLUMNS}">{"".join(pages)}</div>'

    def __repr__(self) -> str:
        readers = len({reader for reader, _ in self._chosen})
        told = f"{len(self.pairs)} pairs, {len(self._chosen)} answers of {readers} readers"
        return f"Readings({told}, visits {'shown' if self.shown else 'hidden'})"

    def _repr_html_(self) -> str:
        return f"<div>{self.drawn()}<p><small>{escape(repr(self))}</small></p></div>"

    def _widget(self) -> Any:
        """What `show(readings).widget()` gives."""
        from workbench.views.readings_live import Reading

        return Reading(self)

    def _export(self, path: Path | str) -> Path:
        """What `export(readings, path)` writes: the choices as .csv, whole or not at all. Raises
        `ConfigError` for another suffix and for a file that is no such table."""
        path = Path(path)
        if path.suffix.lower() != ".csv":
            raise other_suffix(path, "a name that ends in .csv")
        if path.is_dir() or path.is_symlink() or (path.exists() and not _ours(path)):
            raise foreign_file(path, "a new file, or older choices")
        safe = self.choices.map(unarmed)
        with whole_file(path, ours=_ours) as new:
            text = safe.to_csv(index=False, lineterminator="\n")
            new.write_text(text, encoding="utf-8", newline="\n")
        return path


def _ours(path: Path) -> bool:
    """Whether a file is a table of choices: its first line says so."""
    with path.open("rb") as file:
        return file.readline(200).rstrip(b"\r\n") == ",".join(HEAD).encode()


def page_of(text: str) -> str:
    """The text of a page as escaped HTML: headings, one table, sentences.

    >>> page_of("## A <b>\\n\\nOne.")
    '<h4>A &lt;b&gt;</h4><p>One.</p>'
    """
    parts: list[str] = []
    rows: list[list[str]] = []
    for line in [*visible(text).splitlines(), ""]:
        if line[:1] == "|":
            rows += [[escape(cell) for cell in cells(line)]] if line.strip("|- ") else []
            continue
        if rows:
            parts.append(page_table(rows[0], rows[1:]))
            rows = []
        if line.startswith("## "):
            parts.append(f"<h4>{escape(brief(line[3:]))}</h4>")
        elif line.strip():
            parts.append(f"<p>{escape(line)}</p>")
    return "".join(parts)
