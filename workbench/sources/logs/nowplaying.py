"""#nowplaying: sessions of plays, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from workbench.data.checks import name_or_number
from workbench.sources.files import read_columns
from workbench.sources.logs.dataset import Dataset, make_dataset

NAME = "sessions_2018.csv"
COLUMNS = {"user_id": "user", "musicbrainz_id": "item", "session_id": "session"}
COLUMNS |= {name: name for name in ("timestamp", "track_title", "artist_name")}


def nowplaying(folder: str | Path) -> Dataset:
    """#nowplaying, sessions of 2018: `sessions_2018.csv`, quoted with ' where quoted at all.

    Columns user_id, source, timestamp, track_title, artist_name, musicbrainz_id, session_id. Rows
    without an item, a user or a session are left out, as in the study, and a warning counts them.
    Titles are "artist: song".
    """
    table = read_columns(folder, NAME, COLUMNS, quotechar="'")
    whole = table[["user", "item", "session"]].notna().all(axis=1)
    if not whole.all():
        count = f"{int((~whole).sum()):,} of {len(table):,} rows of {NAME}"
        what = f"{count} have no item, user or session: they are left out"
        warnings.warn(what, stacklevel=2)
    table = table[whole]
    session = name_or_number(table["session"], NAME)
    songs = table.drop_duplicates("item").fillna({"artist_name": "", "track_title": ""})
    title = songs["artist_name"] + ": " + songs["track_title"]
    items = {"item_id": songs["item"], "title": title, "artist": songs["artist_name"]}
    table = table.assign(session=session, action="listen")
    return make_dataset(table, pd.DataFrame(items), where=NAME)
