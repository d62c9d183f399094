"""Training examples of sequences: windows that ask for every next item in one pass, or the
published prefixes.

A sequence s₁ … sₙ asks n − 1 questions: s₁ … sₜ → sₜ₊₁. Prefix augmentation (Tan et al., DLRS 2016)
makes one input of each and reads a sequence n times; a causal network answers all of them in one
pass over the sequence. Sequences longer than `length` are cut into windows, the last one ending at
the last row. A window asks for its last `stride` targets, the first window for all of its own, so
every target is asked exactly once. It shows a target at least length − stride rows: with stride =
length a quarter of a window's targets see less than a quarter of what a prefix would show them;
with stride = 1 they see the same.

Windows are counted from the end. So in a sequence longer than `length` a removed row shifts its own
window and all before it, and with stride > 1 (None is `length`) targets before the row are asked
from other starts, with other losses: the examples before and after a removal differ in more than
the row. With stride = 1 or prefixes, targets before it stay as they are; `aligned` keeps them in any
case, by taking over the windows there were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from workbench.data import Histories
from workbench.data.histories import places, spans
from workbench.errors import ConfigError
from workbench.recommend.protocol import check_filled

POOL = 64  # batches among which rows of like length are brought together


@dataclass(frozen=True)
class Windows:
    """W inputs over shared flat arrays of N rows; input w reads rows `start[w]` to `end[w] − 1`.

    item, action, interaction: (N + 1,), the last entry is the padding. After reading row r the
    target is row r + 1; the targets of the rows from `ask[w]` on are asked. `n_targets` counts
    them.
    """

    item: np.ndarray
    action: np.ndarray
    interaction: np.ndarray
    start: np.ndarray
    end: np.ndarray
    ask: np.ndarray
    bound: str | None = None

    def __len__(self) -> int:
        return len(self.start)

    def __repr__(self) -> str:
        return f"Windows({len(self):,} inputs, {self.n_targets:,} targets)"

    @property
    def n_targets(self) -> int:
        """Targets asked for."""
        return int((self.end - self.ask).sum())

    def targets(self) -> tuple[np.ndarray, np.ndarray]:
        """Which row each loss is about: (loss, interaction id), int64 (n_targets,); an input has as
        many losses as targets."""
        return np.arange(self.n_targets), self.interaction[self._asked() + 1]

    def select(self, rows: np.ndarray) -> Windows:
        """Some of the inputs."""
        return replace(self, start=self.start[rows], end=self.end[rows], ask=self.ask[rows])

    def tensors(
        self, device: torch.device | str = "cpu"
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Padded on the right: items, actions (W, L) int64, asked (W, L) bool, and targets
        (n_targets,) int64."""
        length = self.end - self.start
        at = self.start[:, None] + np.arange(length.max(initial=1))
        inside = at < self.end[:, None]
        at = np.where(inside, at, len(self.item) - 1)
        asked = inside & (at >= self.ask[:, None])
        made = (self.item[at], self.action[at], asked, self.item[self._asked() + 1])
        return tuple(torch.from_numpy(part).to(device) for part in made)

    def batches(self, targets: int, seed: tuple[int, int]) -> Iterator[Windows]:
        """All inputs once, in batches of about `targets` targets, inputs of like length
        together."""
        rng = np.random.default_rng(seed)
        order, asked, length = (
            rng.permutation(len(self)),
            self.end - self.ask,
            self.end - self.start,
        )
        pool = np.cumsum(asked[order]) // (POOL * targets)
        order = order[np.lexsort((length[order], pool))]
        cut = np.flatnonzero(np.diff(np.cumsum(asked[order]) // targets)) + 1
        parts = np.split(order, cut)
        for number in rng.permutation(len(parts)):
            yield self.select(parts[number])

    def aligned(self, offsets: np.ndarray, like: Windows) -> Windows:
        """The same targets, each shown what `like` showed before it, less the rows that are gone.

        offsets (S + 1,): the sequences, as in their histories. One older row comes into a window
        whose first target would have nothing left to read. A sequence with rows or targets that
        `like` does not have keeps the windows it has here.
        """
        at = places(like.interaction[:-1], self.interaction[:-1])
        there = np.flatnonzero(at >= 0)
        at = at[there]
        # the targets of each old window that are left: those from `low` to `high` in `there`
        low = np.searchsorted(there, like.ask + 1)
        high = np.searchsorted(there, like.end, side="right") - 1
        some = low <= high
        end = at[high[some]]
        sequence = np.searchsorted(offsets, end, side="right") - 1
        # what is first in its sequence by now is asked no more
        ask = np.maximum(at[low[some]] - 1, offsets[sequence])
        shown = at[np.searchsorted(there, like.start[some])]
        start = np.maximum(np.minimum(shown, ask), offsets[sequence])
        # sequences of which every row was there, and every target is asked
        n, asked = np.diff(offsets), np.zeros(len(offsets) - 1)
        np.add.at(asked, sequence, end - ask)
        owner = np.searchsorted(offsets, at, side="right") - 1
        whole = (np.bincount(owner, minlength=len(n)) == n) & (asked == n - 1)
        own = np.searchsorted(offsets, self.end, side="right") - 1
        old = whole[sequence] & (ask < end)
        parts = [(self.start, self.end, self.ask, own), (start, end, ask, sequence)]
        kept = [~whole[own], old]
        taken = [
            np.concatenate([part[rows] for part, rows in zip(column, kept, strict=True)])
            for column in zip(*parts, strict=True)
        ]
        start, end, ask, sequence = taken
        order = np.lexsort((-end, sequence))  # a sequence's last window first, as in `windows`
        return replace(self, start=start[order], end=end[order], ask=ask[order])

    def _asked(self) -> np.ndarray:
        """Rows after which a target is asked, input by input."""
        return spans(self.ask, self.end)[1]


def windows(
    histories: Histories, length: int, stride: int | None = None, prefixes: bool = False
) -> Windows:
    """The examples of all sequences (rows of `histories`); sequences of fewer than two rows have
    none.

    length: rows an input holds at most; stride: targets a window asks for (all that it holds unless
    told); prefixes: one input per target, as published.
    """
    stride = 1 if prefixes else length if stride is None else stride
    if not 1 <= stride <= length:
        raise ConfigError(f"stride {stride}", "stride", f"1 to the window's length {length}")
    begin, n = histories.offsets[:-1], np.diff(histories.offsets) - 1  # n targets a sequence
    some = n > 0
    begin, n = begin[some], n[some]
    count = n if prefixes else 1 + np.maximum(0, -(-(n - length) // stride))
    # windows from the end of the sequence
    sequence, back = spans(np.zeros_like(count), count)
    end = begin[sequence] + n[sequence] - back * stride
    start = np.maximum(begin[sequence], end - length)
    first = (back == count[sequence] - 1) & (not prefixes)
    ask = np.where(first, start, end - stride)
    flat = [np.append(part, pad) for part, pad in _rows(histories)]
    return Windows(*flat, start, end, ask)


def last_windows(histories: Histories, length: int) -> Windows:
    """One input per history, its last `length` rows, asked at its last row. Raises `DataError` for
    an empty history."""
    check_filled(histories, "SessionPopularity")
    begin, end = histories.offsets[:-1], histories.offsets[1:]
    # one more: nothing follows the last row
    flat = [np.append(part, [pad, pad]) for part, pad in _rows(histories)]
    return Windows(*flat, np.maximum(begin, end - length), end, end - 1)


def _rows(histories: Histories) -> list[tuple[np.ndarray, int]]:
    parts = (
        (histories.item, histories.n_items),
        (histories.action, len(histories.actions)),
        (histories.interaction, -1),
    )
    return [(array.astype(np.int64), pad) for array, pad in parts]
