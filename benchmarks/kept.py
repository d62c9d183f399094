"""What was measured stays: a benchmark's table beside the committed one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd


def merged(new: pd.DataFrame, path: Path, row: str, base: str = "") -> pd.DataFrame:
    """The new lines, and those of the committed file whose `row` was not made again.

    new, and the file: with the columns `identity`, of what a line was made from, and `base`, of what
    its differences are to; the file may lack them, and then stays as it was. base: the identity that
    differences are to now: a line to another is moved to `NAME_earlier.csv`, and so is one that was
    made again from something else.

    >>> merged(table, RESULTS / "simulator.csv", "row", base="3f…")  # doctest: +SKIP
    """
    if not path.exists():
        return new
    old = pd.read_csv(path).reindex(columns=new.columns)
    old = old.assign(**{name: old[name].astype(object).fillna("") for name in ("identity", "base")})
    again = old[row].isin(new[row])
    same = old.merge(new[[row, "identity"]].drop_duplicates(), on=[row, "identity"])[row]
    other_base = (old["base"] != base) & (old["base"] != "")
    moved = other_base | (again & (old["identity"] != "") & ~old[row].isin(same))
    if moved.any():
        earlier = path.with_name(f"{path.stem}_earlier.csv")
        before = [pd.read_csv(earlier)] if earlier.exists() else []
        table = pd.concat([*before, old[moved]], ignore_index=True)
        table.to_csv(earlier, index=False)
    return pd.concat([new, old[~again & ~moved]], ignore_index=True)
