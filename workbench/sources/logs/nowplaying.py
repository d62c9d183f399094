"""#nowplaying: sessions of plays, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from workbench.sources.columns import name_or_number, require
from workbench.sources.files import found, read_frame
from workbench.sources.logs.dataset import Dataset, make_dataset


def nowplaying(folder: str | Path) -> Dataset:
    """#nowplaying, sessions of 2018: `sessions_2018.csv`, quoted with ' where quoted at all.

    Columns user_id, source, timestamp, track_title, artist_name, musicbrainz_id, session_id. Rows
    without an item, a user or a session are left out, as in the study, and a warning counts them.
    Titles are "artist: song".
    """
    table = read_frame(found(Path(folder) / "sessions_2018.csv"), quotechar="'")
    needed = ["user_id", "musicbrainz_id", "session_id"]
    require(table, [*needed, "timestamp", "track_title", "artist_name"], Path("sessions_2018.csv"))
    whole = table[needed].notna().all(axis=1)
    if not whole.all():
        what = (
            f"{int((~whole).sum()):,} of {len(table):,} rows of sessions_2018.csv have "
            f"no item, user or session"
        )
        warnings.warn(f"{what}: they are left out", stacklevel=2)
    table = table[whole].assign(action="listen")
    items = table.drop_duplicates("musicbrainz_id")
    artist, song = items["artist_name"].fillna(""), items["track_title"].fillna("")
    items = pd.DataFrame(
        {"item_id": items["musicbrainz_id"], "title": artist + ": " + song, "artist": artist}
    )
    table["session"] = name_or_number(table["session_id"])
    roles = {
        "user": "user_id",
        "session": "session",
        "item": "musicbrainz_id",
        "timestamp": "timestamp",
    }
    return make_dataset(table, roles | {"action": "action"}, items, where="sessions_2018.csv")
