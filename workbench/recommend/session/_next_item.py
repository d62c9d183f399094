"""What the trained next-item recommenders share: everything but the network.

    ℓ(s₁ … sₜ → sₜ₊₁) = −log softmax(E h(s₁ … sₜ))[sₜ₊₁]        E: the item table; full softmax, no sampled negatives

A method's file brings a config and a network h. Quick because all targets of a window come out of
one pass (`windows.py`), inputs of like length share a batch, and the softmax is computed once per
target, in chunks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel

from workbench.data import Histories, Interactions
from workbench.recommend.evaluation import next_items
from workbench.recommend.protocol import check_items, fitted
from workbench.recommend.session._windows import Windows, last_windows, windows
from workbench.recommend.softmax import full_softmax
from workbench.recommend.training import (
    Training,
    load_trained,
    no_losses,
    reproducible,
    save_trained,
    train,
    validation,
)
from workbench.settings import settings


class NextItem:
    """A trained next-item recommender around a network; a method names its `Config` and its
    `Network`.

    A row of the histories is a sequence (`log.by_session()` makes one of every session).
    `Network(config, n_items, n_actions)` is a module with `item`, an embedding whose last row is
    the padding, and `forward(items (B, L), actions (B, L), asked (B, L)) -> (n, d)`: for every
    asked position, in row order, what the positions up to it say; inputs are padded on the right
    with n_items. `Config` has `training`, `max_length`, `stride`, `prefixes` and `use_actions`.
    """

    Config: type[BaseModel]
    Network: Callable[..., torch.nn.Module]

    def __init__(self, config: BaseModel | None = None) -> None:
        self.config: Any = config or self.Config()
        self.module: torch.nn.Module | None = None
        self.actions: tuple[str, ...] = ()
        self.record: pd.DataFrame | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config})"

    def fit(self, log: Interactions, valid: Interactions | None = None) -> Self:
        """Train on every next item of `log`; with `valid` stop early on its next items. `record`
        tells the epochs."""
        config: Training = self.config.training
        with reproducible(config):
            self._start(log.n_items, tuple(map(str, log.frame["action"].cat.categories)))
            examples = self.examples(log)
            self.record = train(
                self.module,
                self.loss,
                lambda epoch: examples.batches(config.batch, (config.seed, epoch)),
                config,
                None if valid is None else self._validation(log, valid),
            )
        return self

    def examples(self, log: Interactions, users: np.ndarray | None = None) -> Windows:
        """Every next-item question of these users; `target_interaction` says which row each target
        is."""
        histories = self._known(log.histories(users))
        return windows(histories, self.config.max_length, self.config.stride, self.config.prefixes)

    def loss(self, examples: Windows) -> torch.Tensor:
        """−log p of every target, in the order of `examples.target_interaction`; (n_targets,),
        perhaps none."""
        module = fitted(self.module, self)
        if not len(examples):
            return no_losses(module)
        items, actions, asked, targets = examples.tensors(module.item.weight.device)
        return full_softmax(module(items, actions, asked), module.item.weight[:-1], targets)

    def represent(self, histories: Histories) -> torch.Tensor:
        """h of whole histories, their last `max_length` rows; (B, d), float32, with its graph."""
        check_items(histories, fitted(self.module, self).item.num_embeddings - 1)
        read = last_windows(self._known(histories), self.config.max_length)
        items, actions, asked, _ = read.tensors(self.module.item.weight.device)
        return self.module(items, actions, asked)

    def score(self, histories: Histories) -> np.ndarray:
        """E h, float32 (B, n_items). Raises `DataError` for an empty history."""
        check_items(histories, fitted(self.module, self).item.num_embeddings - 1)
        # refuses an empty history by its own row, before rows are sorted
        last_windows(histories, 1)
        with torch.no_grad():
            table = self.module.item.weight[:-1]
            # like lengths together: less padding
            order = np.argsort(np.diff(histories.offsets), kind="stable")
            scores = np.empty((len(histories), len(table)), dtype=np.float32)
            for rows in np.array_split(order, max(1, len(order) // 512)) if len(order) else []:
                scores[rows] = (self.represent(histories.select(rows)) @ table.T).cpu().numpy()
        return scores

    def parameter_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        """items: the item table; shared: all else. There are no user vectors."""
        items = list(fitted(self.module, self).item.parameters())
        own = {id(parameter) for parameter in items}
        shared = [parameter for parameter in self.module.parameters() if id(parameter) not in own]
        return {"users": [], "items": items, "shared": shared}

    def rebuild(self, log: Interactions) -> Self:
        """Nothing to do but to check the log: the network keeps nothing of it but its weights."""
        check_items(log, fitted(self.module, self).item.num_embeddings - 1)
        return self

    def copy(self) -> Self:
        """An independent copy."""
        return copy.deepcopy(self)

    def save(self, folder: Path) -> None:
        """Write into a folder, whole or not at all."""
        names = np.frombuffer("\x1f".join(self.actions).encode(), dtype=np.uint8)
        n_items = np.array(fitted(self.module, self).item.num_embeddings - 1)
        save_trained(
            folder, type(self).__name__, self.config, self.module, n_items=n_items, actions=names
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        config, arrays, fill = load_trained(
            folder, cls.__name__, cls.Config, ("n_items", "actions")
        )
        model = cls(config)
        names = arrays["actions"].tobytes().decode()
        # the first weights are overwritten: their draws shall not reach the caller
        with torch.random.fork_rng():
            model._start(arrays["n_items"].item(), tuple(names.split("\x1f")) if names else ())
        fill(model.module)
        return model

    def _start(self, n_items: int, actions: tuple[str, ...]) -> None:
        self.actions = actions
        self.module = (
            type(self).Network(self.config, n_items, len(actions)).to(settings().device).eval()
        )

    def _known(self, histories: Histories) -> Histories:
        """Action codes as this model numbers them; actions it has not met become the padding."""
        if histories.actions == self.actions:
            return histories
        codes = {name: code for code, name in enumerate(self.actions)}
        table = np.array(
            [codes.get(name, len(codes)) for name in histories.actions] or [len(codes)]
        )
        return replace(histories, action=table[histories.action], actions=self.actions)

    def _validation(self, log: Interactions, valid: Interactions) -> Callable[[], float]:
        config: Training = self.config.training
        histories, items = next_items(valid, before=log, longest=self.config.max_length)
        rows = np.arange(len(items))[: config.validation_users]
        histories, items = histories.select(rows), items[rows]
        return validation(self, config, histories, items)
