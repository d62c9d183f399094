"""Four files of clicks with times: train, its two parts for tuning, and test (session-rec: RSC15)."""

from __future__ import annotations

from pathlib import Path

from workbench.data.splits import Split
from workbench.data.times import as_times
from workbench.errors import DataError
from workbench.sources.files import read_columns
from workbench.sources.logs._divided import divided, together

COLUMNS = {"SessionId": "user", "ItemId": "item", "Time": "timestamp"}


def clicks_split(folder: str | Path, name: str = "", tune: bool = False) -> Split:
    """Four files of clicks `SessionId ItemId Time` (tab separated, Unix seconds): session-rec's
    train and test.

    name: what stands before `_train_full.txt`; found where there is one such file. tune: train on
    `train_tr` and validate on `train_valid`, which leaves out the items that only the latter has;
    otherwise train on `train_full` with no validation part. Items and sessions of all four files
    are in the indexes either way, so shapes agree.

    >>> clicks_split("rsc15-100k-session-rec")  # doctest: +SKIP
    Split(published: train 70,278, valid 0, test 13,568 rows)
    """
    folder = Path(folder)
    stems = sorted({p.name.split("_train_full.txt")[0] for p in folder.glob("*_train_full.txt*")})
    if not name and len(stems) != 1:
        count = f"{len(stems)} files end" if stems else "no file ends"
        what = f"{count} in _train_full.txt"
        raise DataError(what, str(folder), "one data set", "pass its name")
    name = name or stems[0]
    # part 3 is in the indexes, and in no part
    parts = {"train_tr": 0, "train_valid": 1, "train_full": 3} if tune else {"train_full": 0}
    tables = []
    for end, part in (parts | {"test": 2}).items():
        file = f"{name}_{end}.txt"
        table = read_columns(folder, file, COLUMNS, sep="\t")
        times = as_times(table["timestamp"], len(table), file)
        tables.append(table.assign(part=part, session=table["user"], timestamp=times))
    return divided(together(tables), f"{name}_*.txt")
