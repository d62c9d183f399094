"""Sessions and questions: `sessions_train.txt`, a session a line, and `test_pairs.tsv`, lines
`prefix<TAB>next item` (SR-GNN: Diginetica).

There are no times: pass `by="position"` where a split or model goes by order. Lines are cut and
joined as whole lists, so that a million clicks take a second or two; nothing here loops over single
clicks.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.data.splits import Split
from workbench.errors import DataError
from workbench.sources.files import found, read_text
from workbench.sources.logs._divided import divided, flat, together


def pairs_split(folder: str | Path) -> Split:
    """`sessions_train.txt` and `test_pairs.tsv`: train sessions and test sessions, every session a
    user of its own.

    The pairs of one test session follow each other with prefixes that get shorter by one item down
    to a single one, as the usual preparation writes them; so `next_items(split.test)` asks exactly
    the pairs of the file. Sessions are numbered: those of the training file by line, then those of
    the test file in its order. Raises `DataError` for a line that is no pair, or a pair that does
    not continue the one above it.

    >>> pairs_split("sessions-diginetica")  # doctest: +SKIP
    Split(published: train 906,140, valid 0, test 76,821 rows)
    """
    path = found(Path(folder) / "sessions_train.txt")
    sessions = [line.split() for line in read_text(path).splitlines()]
    train = flat(sessions, range(1, 1 + len(sessions))).assign(part=0)
    path = found(Path(folder) / "test_pairs.tsv")
    lines = read_text(path).splitlines()
    pairs = [line.split("\t") for line in lines]
    for n, pair in enumerate(pairs, 1):
        if len(pair) != 2 or not pair[0].strip() or len(pair[1].split()) != 1:
            expected = "prefix items, a tab, one next item"
            raise DataError(f"line {n} is no pair", path.name, expected, "repair the line")
    prefixes = [" ".join(pair[0].split()) for pair in pairs]
    short = np.array([" " not in prefix for prefix in prefixes], dtype=bool)
    # a session ends with the prefix of a single item
    first = np.append(True, short[:-1]) if len(short) else short
    for n in np.flatnonzero(~first):
        if f"{prefixes[n]} {pairs[n][1].strip()}" != prefixes[n - 1]:
            what = f"line {n + 1} does not continue line {n}"
            do = "write the pairs of a session from the longest prefix to the shortest"
            raise DataError(what, path.name, "the pair one item shorter", do)
    if len(short) and not short[-1]:
        what = f"line {len(lines)} ends amid a session"
        raise DataError(what, path.name, "a prefix of one item", "copy it again")
    whole = [f"{prefixes[n]} {pairs[n][1]}".split() for n in np.flatnonzero(first)]
    test = flat(whole, np.flatnonzero(first) + 1).assign(part=2)
    test["row"] += len(sessions)
    table = together([train, test])
    table = table.assign(user=table["row"], session=table["row"])
    return divided(table, "sessions_train.txt, test_pairs.tsv")
