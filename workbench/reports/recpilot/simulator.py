"""The trajectory simulator: RecPilot (arXiv 2603.07605), section on the first agent, equation 2.

    p(Y | X) = Π_t p(y_t | X, y_<t)          X: the history, Y: the visit, both as run-length tokens

An encoder-decoder T5 from scratch, 2 + 2 layers, d 64, feed-forward 256, 2 heads of 64, one table
for actions and products. As published its loss falls mostly by copying within the visit, so three
remedies stand beside it as settings: a next-product loss on the encoder, item vectors that start
from counts, and own actions that every decoder step may weigh (`SimulatorConfig`).
"""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from workbench.data import Histories, Interactions
from workbench.errors import DataError, ModelError, typed
from workbench.recommend.bound import Bound
from workbench.recommend.protocol import check_items, fitted
from workbench.recommend.saving import fill, weights
from workbench.reports.recpilot._card import read_simulator, write_simulator
from workbench.reports.recpilot._network import Encoded, Network, Read, read, said
from workbench.reports.recpilot._sizes import SimulatorConfig
from workbench.reports.recpilot.grammar import BOS, Vocabulary
from workbench.reports.recpilot.trajectories import Trajectories
from workbench.settings import settings


class Simulator(Bound):
    """Imagines visits: a distribution over token sequences given a history.

    module: the network; vocabulary: its tokens; card: what is known of its training, {} if nothing.

    >>> load_simulator().log_probs(visits.histories, visits.trajectories)  # doctest: +SKIP
    """

    Config = SimulatorConfig
    module: Network | None = None
    vocabulary: Vocabulary | None = None
    card: dict[str, Any]

    def __init__(self, config: SimulatorConfig | None = None, **fields: object) -> None:
        super().__init__(config, **fields)
        self.card = {}

    def __repr__(self) -> str:
        c = self.config
        return self._named(f"auxiliary={c.auxiliary:g}", f"start={c.start}", f"own={c.own}")

    def fit(self, log: Interactions, work: Path | None = None) -> Self:
        """Train on every visit with a purchase but the shoppers' last ones, which choose the
        checkpoint; `work`: a folder in which a stopped run goes on."""
        from workbench.reports.recpilot.supervised import supervise

        self.card = {"training": supervise(self, log, work)}
        return self

    def make(self, vocabulary: Vocabulary, bound: str | None) -> Self:
        """First weights, of the config's seed."""
        self.vocabulary, self.bound = vocabulary, bound
        with torch.random.fork_rng():
            torch.manual_seed(self.config.training.seed)
            self.module = Network(self.config, vocabulary).eval()
        return self

    def read(self, histories: Histories) -> Read:
        """Histories as the network reads them. Raises `ModelError` for those of another catalogue,
        `DataError` for an action that the simulator has not met, or rows without sessions."""
        vocabulary = fitted(self.vocabulary, self)
        check_items(histories, vocabulary.n_items, self.bound, users=False)
        if histories.session is None:
            raise DataError("no sessions", "histories", "histories taken from a log")
        action = vocabulary.recode(histories.action, histories.actions)
        told = replace(histories, action=action, actions=vocabulary.actions)
        return read(told, vocabulary, self.config)

    def encode(self, histories: Histories) -> Encoded:
        """What the decoder reads of histories, with its graph."""
        return fitted(self.module, self).encode(self.read(histories))

    def tokens(self, trajectories: Trajectories) -> np.ndarray:
        """Visits as tokens (B, T), bos left out; raises as `read` does, and `DataError` for a visit
        of more tokens than `longest`."""
        vocabulary = fitted(self.vocabulary, self)
        check_items(trajectories, vocabulary.n_items, self.bound, Trajectories, users=False)
        action = vocabulary.recode(trajectories.action, trajectories.actions)
        told = replace(trajectories, action=action, actions=vocabulary.actions)
        return self._short(told.tokens(vocabulary))

    def log_probs(
        self, histories: Histories, visits: Trajectories | np.ndarray, grammar: bool = False
    ) -> torch.Tensor:
        """log p of every token of visits, with its graph; 0 on padding.

        visits: a visit a history, or tokens (B, T), or N of each history, (B, N, T); the result has
        the shape of the tokens. grammar: of the model under the grammar's mask, by which a token
        that it forbids is −inf. Raises `ModelError` where the weights give no number.
        """
        found = self.tokens(visits) if isinstance(visits, Trajectories) else np.asarray(visits)
        tokens = self._short(found.reshape(-1, found.shape[-1]))
        n = 1 if found.ndim == 2 else found.shape[1]
        if len(tokens) != n * len(histories):
            what = f"{len(found)} visits for {len(histories)} histories"
            raise DataError(what, "visits", "as many, or tokens (B, N, T)")
        asked = torch.from_numpy(tokens.astype(np.int64))
        before = torch.cat([torch.full((len(asked), 1), BOS), asked[:, :-1]], dim=1)
        logits = fitted(self.module, self).decode(self.encode(histories).repeat(n), before)
        if grammar:
            allowed = torch.from_numpy(self.vocabulary.mask(tokens, self.config.longest))
            logits = logits.masked_fill(~allowed, -torch.inf)
        if torch.isnan(logits).any():
            raise ModelError("the weights give no numbers", "simulator", "finite logits")
        return said(logits, asked).reshape(found.shape)

    def head(self, histories: Histories) -> np.ndarray:
        """The encoder's head alone: scores of the next bought product, float32 (B, n_items). Raises
        `ModelError` for a simulator without one."""
        module = fitted(self.module, self)
        if module.head is None:
            raise ModelError("no head on the encoder", "simulator", "a config with auxiliary > 0")
        with torch.no_grad():
            encoded = self.encode(histories)
            last = encoded.filled.sum(dim=1) - 1
            return module.next_product(encoded.states[torch.arange(len(last)), last]).numpy()

    def copy(self) -> Self:
        """An independent copy."""
        return copy.deepcopy(self)

    def save(self, folder: Path, half: bool = False) -> None:
        """Write weights (16 bit with `half`), config and card into a folder, whole or not at all."""
        vocabulary = fitted(self.vocabulary, self)
        write_simulator(
            folder, self.config, weights(self.module), vocabulary, self.bound, self.card, half
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; raises `ModelError` for another or damaged model, or weights that
        are no numbers."""
        config, arrays, vocabulary, bound, card = read_simulator(folder)
        model = cls(config).make(vocabulary, bound)
        fill(model.module, arrays, folder)
        model.card = card
        return model

    def _short(self, tokens: np.ndarray) -> np.ndarray:
        if tokens.shape[-1] > self.config.longest:
            what = f"a visit of {tokens.shape[-1]} tokens"
            raise DataError(what, "visits", f"at most {self.config.longest}", "leave it out")
        return tokens


@typed
def load_simulator(folder: Path | None = None) -> Simulator:
    """The shipped simulator, or the one in a folder."""
    return Simulator.load(folder or settings().data / "simulator")
