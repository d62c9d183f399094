"""What the trained user-item recommenders share: everything but the vectors and the loss.

score(u, i) = ⟨vector of u, vector of i⟩        one pair (u, i, j) per row and epoch: `_pairs.py`
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from workbench.data import Histories, Interactions
from workbench.data.checks import checked_codes
from workbench.errors import ModelError, UnknownUser
from workbench.recommend.collaborative._graph import Graph
from workbench.recommend.collaborative._pairs import NegativeSampler, Pairs, margins
from workbench.recommend.collaborative._resolve import resolved
from workbench.recommend.protocol import check_items, fitted
from workbench.recommend.saving import csr_from, csr_parts
from workbench.recommend.trained import ConvexParts, TrainedModel


class Tables(nn.Module):
    """A vector for every user and item. first: how they are drawn; graph: the cache of those that
    read one."""

    first = staticmethod(nn.init.xavier_uniform_)

    def __init__(self, config: Any, n_users: int, n_items: int) -> None:
        super().__init__()
        self.config, self.graph = config, None
        self.user = nn.Embedding(n_users, config.embedding)
        self.item = nn.Embedding(n_items, config.embedding)
        self.first(self.user.weight)
        self.first(self.item.weight)


class UserItem(TrainedModel):
    """What BPR, LightGCN and SGL share; a method names its `Config` and `Network` and writes its
    `loss`.

    `Network(config, n_users, n_items)` is `Tables` with `forward() -> (users, items)`, those that
    are scored with. With `reads_graph` it also has `graph`, the cache that `rebuild` makes anew. A
    user of the index without rows has a vector that nothing has trained. Of a history only its user
    is read; another code raises `UnknownUser`.
    """

    reads_graph = False
    saved = ("module.user.weight", "module.item.weight")
    beside = ("l2",)
    per_user: ClassVar = {"user.weight": (0,)}
    per_item: ClassVar = {"item.weight": (0,)}
    _made: tuple[Any, ...] | None = None

    def sizes(self, log: Interactions) -> dict[str, Any]:
        """Users and items of the indexes."""
        return {"n_users": log.n_users, "n_items": log.n_items}

    @classmethod
    def sizes_of(cls, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
        """The lengths of the two tables."""
        n_users, n_items = (len(arrays[name]) for name in cls.saved)
        return {"n_users": n_users, "n_items": n_items}

    def examples(
        self,
        log: Interactions,
        users: np.ndarray | None = None,
        epoch: int = 0,
        like: Pairs | None = None,
    ) -> Pairs:
        """One pair per row of these users (equal rows make a pair each), with the negatives of an
        epoch.

        like: pairs whose negatives are taken over for the same interactions, where the user still
        does not hold them, and which training keeps. So the examples of a user before and after a
        removal differ in what was removed, and in nothing else:

        >>> before = model.examples(log, [3])  # doctest: +SKIP
        >>> after = model.examples(log.without([17]), [3], like=before)  # doctest: +SKIP
        """
        self.check(log)
        frame, sampler = log.deeds.frame, NegativeSampler.of(log)
        owner = frame["user"].to_numpy()
        chosen = np.ones(len(frame), bool)
        if users is not None:
            chosen = np.isin(owner, checked_codes(users, log.n_users, "users", UnknownUser))
        possible = sampler.free[owner] > 0
        user, item, ids = (
            frame[name].to_numpy(np.int64)[chosen & possible]
            for name in ("user", "item", "interaction")
        )
        negative = sampler.draw(user, ids, (self.config.training.seed, epoch))
        if like is not None:
            negative = sampler.kept(user, ids, like, negative)
        return Pairs(
            user,
            item,
            negative,
            ids,
            left_out=frame["interaction"].to_numpy()[chosen & ~possible],
            sampler=None if like is not None else sampler,
            bound=log.index_fingerprint,
        )

    def represent(self, histories: Histories) -> torch.Tensor:
        """The vectors of the users; (B, d)."""
        fitted(self.module, self)
        self.parts(histories)
        return self._users(self.tables()[0], histories)

    def history_logits(self, histories: Histories) -> torch.Tensor:
        """Users' vectors times all item vectors; (B, n_items)."""
        self.parts(histories)
        users, items = self.tables()
        return self._users(users, histories) @ items.T

    def score_rows(self, histories: Histories) -> np.ndarray:
        """What people would be scored if their vectors were solved again for the rows at hand, the
        items as they are; float64 (B, n_items). It is how a score is taken apart by leaving rows
        out: `score` itself reads no row.
        """
        check_items(histories, self.shape["n_items"], self.bound, users=False)
        with torch.no_grad():
            items = self.tables()[1].double().cpu().numpy()
        vectors = np.zeros((len(histories), items.shape[1]))
        for row in range(len(histories)):
            held = np.unique(histories.item[histories.row(row)])
            vectors[row] = resolved(held, items, self.config.l2)
        return vectors @ items.T

    def example_logits(self, examples: Pairs) -> torch.Tensor:
        """The margins x_uij; (n,)."""
        return margins(*self.module(), examples)

    def loss_from(self, logits: torch.Tensor, examples: Pairs) -> torch.Tensor:
        """−ln σ(x_uij); (n,). The loss has more beside it: the penalty, and SGL's contrast."""
        return functional.softplus(-logits)

    def convex_parts(self, examples: Pairs) -> ConvexParts:
        """Margins under −ln σ, and the vectors of the pairs, (n, 3, d), under their penalty."""
        u, i, j = examples.tensors(self.module.user.weight.device)
        users, items = self.module.user.weight, self.module.item.weight
        drawn = users.index_select(0, u), items.index_select(0, i), items.index_select(0, j)
        l2 = self.config.l2
        squares = (torch.stack(drawn, 1), lambda vectors: l2 / 2 * vectors.square().sum((1, 2)))
        return super().convex_parts(examples) + ([squares] if l2 else [])

    def tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        """User and item vectors as they are scored with: with their graph, or, under `no_grad`,
        made once per weights.

        Weights are compared with those the tables were made from, so that no change of any kind
        goes unseen.
        """
        module = fitted(self.module, self)
        if torch.is_grad_enabled() or not self.reads_graph:
            return module()
        weights = (module.user.weight, module.item.weight)
        if (
            self._made is None
            or self._made[0] is not module.graph
            or not all(map(torch.equal, self._made[1], weights))
        ):
            self._made = (module.graph, [weight.detach().clone() for weight in weights], module())
        return self._made[2]

    def parts(self, histories: Histories) -> list[np.ndarray]:
        """All rows at once, once the users are known."""
        check_items(histories, self.shape["n_items"], self.bound)
        known = self.shape["n_users"]
        unknown = histories.user[(histories.user < 0) | (histories.user >= known)]
        if len(unknown):
            do = "fit the model with this user, or score with a model that reads histories"
            raise UnknownUser(
                f"user code {unknown[0]}", type(self).__name__, f"a code from 0 to {known - 1}", do
            )
        return [np.arange(len(histories))]

    def questions(self, log: Interactions, valid: Interactions) -> tuple[Any, ...]:
        """The items of `valid` for its users, without those of `log`."""
        users = np.unique(valid.deeds.frame["user"])[: self.config.training.validation_users]
        return log.histories(users), valid.matrix()[users], log.matrix()[users]

    def cache(self, log: Interactions) -> None:
        """The graph of a model that reads one."""
        if self.reads_graph:
            self.module.graph = Graph.of(log)

    def keep(self) -> dict[str, np.ndarray]:
        """The graph."""
        return csr_parts(self.module.graph.cells, "graph") if self.reads_graph else {}

    def take(self, arrays: dict[str, np.ndarray], folder: Path) -> None:
        """The graph, of one row per user and one column per item."""
        if not self.reads_graph:
            return
        cells = csr_from(arrays, "graph")
        if cells.shape != tuple(self.shape.values()):
            want = "one row per user, one column per item"
            raise ModelError(f"the graph is {cells.shape}", str(folder), want)
        self.module.graph = Graph(cells)

    def _users(self, table: torch.Tensor, histories: Histories) -> torch.Tensor:
        codes = torch.from_numpy(histories.user.astype(np.int64))
        return table.index_select(0, codes.to(table.device))
