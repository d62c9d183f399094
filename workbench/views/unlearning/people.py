"""One person: their list before, after, and of a model that never saw the rows; and why something
that they deleted is there again.

    popularity   share of all people who hold the item / mean share of an item
    neighbours   share of the 20 people most like them who hold it / share of all
    history      share of the holders of one thing they kept who hold it / share of all, at its largest

None of the three knows the model: they say what in the remaining rows speaks for the item. Where the
method has it much higher than the retrain, it is the weights that remember.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from workbench.data import Catalogue
from workbench.errors import ConfigError, UnknownUser, typed
from workbench.html import escape, table
from workbench.recommend import scores_of
from workbench.recommend.ranking import lists_of
from workbench.unlearning import Scenario, percentiles
from workbench.views.look import COLUMNS, GONE, NEW, PANEL, edged
from workbench.views.text import brief

BEFORE, RETRAIN = "before", "retrain"
NEAREST = 20
"""People who are asked as neighbours."""
HIGHER = 0.05
"""How much higher than the retrain an item stands, for the weights to be named."""
CARD = f"flex:1 1 17em;min-width:0;padding:.4em .6em;border-radius:4px;{PANEL}"


@typed
@dataclass(frozen=True, eq=False)
class People:
    """Who left, and what each model has for them.

    models: `before`, `retrain`, and between them one or more methods, by name; all of one task.
    done: requests that the methods and the retrain have served; by default all. catalogue: titles;
    None shows ids. Raises `ConfigError` without these three.
    """

    models: Mapping[str, Any]
    scenario: Scenario
    catalogue: Catalogue | None = None
    done: int = -1
    k: int = 10

    def __post_init__(self) -> None:
        if not {BEFORE, RETRAIN} < set(self.models):
            want = "before, retrain, and a method between them"
            raise ConfigError(f"models {', '.join(self.models)}", "People", want)
        if self.done < 0:
            object.__setattr__(self, "done", len(self.scenario.requests))

    @property
    def methods(self) -> list[str]:
        """Models that are neither before nor retrain."""
        return [name for name in self.models if name not in (BEFORE, RETRAIN)]

    @cached_property
    def users(self) -> np.ndarray:
        """User codes (of visits, where the task is about visits) that requests name."""
        return self.scenario.leavers(self.done)

    @cached_property
    def held(self) -> sparse.csr_array:
        """0/1 (n_users, n_items), after the requests."""
        return sparse.csr_array(self.scenario.known(self.done).matrix() > 0, dtype=np.float64)

    @cached_property
    def share(self) -> np.ndarray:
        """Of all people, who hold each item; (n_items,)."""
        return np.asarray(self.held.mean(axis=0)).ravel()

    def __repr__(self) -> str:
        return f"People({len(self.users)} who left; {', '.join(self.models)})"

    def name(self, user: int) -> str:
        """The id of a user."""
        return brief(self.scenario.task.train.users[user])

    def title(self, item: int) -> str:
        """The title of an item, or its id."""
        if self.catalogue is None:
            return brief(self.scenario.task.train.items[item])
        return brief(self.catalogue.title(int(item)))

    def lists(self, user: int, method: str) -> dict[str, np.ndarray]:
        """The k best of each model; what is held is left out where the task does so."""
        return {name: self._list(user, name) for name in (BEFORE, method, RETRAIN)}

    def _list(self, user: int, name: str) -> np.ndarray:
        log = self.scenario.known(0 if name == BEFORE else self.done)
        score = partial(scores_of, self.models[name])
        seen = self.scenario.task.exclude is not None
        return lists_of(score, log.histories([user]), self.k, seen=seen)[0]

    def why(self, user: int, method: str) -> pd.DataFrame:
        """What speaks for each item that the user deleted: [item, title, listed, after, retrain,
        history, because, neighbours, popularity, remembered by], the highest first.

        after, retrain: percentiles; listed: in the k best of the method; history, neighbours,
        popularity: times as likely as for anybody (or any item), see above; because: what they kept
        that speaks for it most; remembered by: the weights, where the method has it much higher than
        the retrain; else the rows, where one of the three is above 1; else nothing.
        """
        gone = self.scenario.deleted(self.done)[[user]].indices
        listed, share = self._list(user, method), self.share
        near = self._neighbours(user)
        # where each deleted item stands: the same history, asked once for each
        history = self.scenario.known(self.done).histories([user] * len(gone))
        asked = sparse.csr_array(
            (np.ones(len(gone)), (np.arange(len(gone)), gone)), shape=(len(gone), len(share))
        )
        places = [percentiles(self.models[m], history, asked) for m in (method, RETRAIN)]
        rows = []
        for item, *stands in zip(gone, *places, strict=True):
            history_lift, because = self._history(user, item, share)
            lifts = {"history": history_lift, "neighbours": near[item] / max(share[item], 1e-12)}
            lifts["popularity"] = share[item] / share.mean()
            by = "the rows" if max(lifts.values()) > 1 else "nothing"
            if stands[0] - stands[1] > HIGHER:
                by = "the weights"
            told = {"item": int(item), "title": self.title(item), "listed": item in listed}
            told |= {"after": stands[0], "retrain": stands[1], "history": history_lift}
            rows.append(told | {"because": because} | lifts | {"remembered by": by})
        names = (
            "item,title,listed,after,retrain,history,because,neighbours,popularity,remembered by"
        )
        found = pd.DataFrame(rows, columns=names.split(","))
        return found.sort_values("after", ascending=False, ignore_index=True)

    def _neighbours(self, user: int) -> np.ndarray:
        """Share of the people most like this one (cosine of what is held) who hold each item."""
        own, size = self.held[[user]], np.sqrt(self.held.sum(axis=1))
        alike = (self.held @ own.T).toarray().ravel() / np.maximum(size, 1e-12)
        alike[user] = -1
        near = np.argsort(-alike, kind="stable")[:NEAREST]
        return np.asarray(self.held[near].mean(axis=0)).ravel()

    def _history(self, user: int, item: int, share: np.ndarray) -> tuple[float, str]:
        """What is held speaks for an item: the largest lift, and the title of what gives it."""
        kept = self.held[[user]].indices
        if not len(kept) or not share[item]:
            return 0.0, ""
        both = (self.held[:, kept].T @ self.held[:, [item]]).toarray().ravel()
        # one holder more on either side: a thing that two people hold proves little
        count = share[kept] * self.held.shape[0]
        lift = (both + share[item]) / (count + 1) / share[item]
        return float(lift.max()), self.title(kept[lift.argmax()])

    def _repr_html_(self) -> str:
        return self.drawn()

    def drawn(self, user: int | None = None, method: str | None = None) -> str:
        """Three lists and the reasons, as HTML. Raises `UnknownUser` for who deleted nothing."""
        user = int(self.users[0]) if user is None else int(user)
        method = method or self.methods[0]
        if user not in self.users:
            raise UnknownUser(f"user {user} asked for nothing", "People", "one of .users")
        gone = set(self.scenario.deleted(self.done)[[user]].indices.tolist())
        topic = set(self.scenario.items.tolist())
        lists = self.lists(user, method)
        cards = []
        for name, heading in zip(lists, ("Before", f"After: {method}", "Retrained"), strict=True):
            lines = [self._line(item, gone, topic) for item in lists[name] if item >= 0]
            body = f"<ol>{''.join(lines)}</ol>" if lines else "<p>no row left, no list</p>"
            cards.append(f'<div style="{CARD}"><b>{escape(heading)}</b>{body}</div>')
        rows = len(self.scenario.known(self.done).rows_of(user))
        told = f"{len(gone)} products deleted, {rows} rows left"
        head = f"<p><b>{escape(self.name(user))}</b>: {told}. ✗ deleted by them, ■ of the topic</p>"
        why = self.why(user, method).drop(columns="item").head(self.k)
        caption = "What they deleted, and what speaks for it: times as likely as for anybody"
        listed = why["listed"].map({True: "yes", False: ""})
        reasons = table(why.assign(listed=listed).to_dict("records"), caption, digits=2)
        return f'{head}<div style="{COLUMNS}">{"".join(cards)}</div>{reasons}'

    def _line(self, item: int, gone: set[int], topic: set[int]) -> str:
        mark = "✗ " if item in gone else "■ " if item in topic else ""
        look = edged(GONE if item in gone else NEW if item in topic else "")
        title = escape(self.title(item))
        return f'<li style="{look}">{mark}{f"<b>{title}</b>" if mark else title}</li>'
