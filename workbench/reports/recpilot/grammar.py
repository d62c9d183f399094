"""Visits as tokens and the grammar of an imagined visit: RecPilot (arXiv 2603.07605, equation 1).

    h(visit) = <bos> a v v … a v … <eos>            a: an action, said once for a run of its products

    visit  →  <bos> run run* purchase <eos>         run: an action other than purchase, then products
    purchase → <purchase> product product*          neighbouring runs differ in their action

The paper writes one bought product, last. Real visits buy several, go on afterwards, or begin with
a purchase. So a visit is cut after its last purchase, what was bought before moves into one run at
its end, and what is bought is a set; a visit that begins with its purchase shows no way there and
is no target. `breaks` counts each. The grammar is a table: from a state and a kind of token to the
next state, so that a mask for decoding and a check of what was decoded are the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from workbench.errors import DataError

PAD, BOS, EOS, FIRST = 0, 1, 2, 3
BOUGHT = "purchase"
START, END, NEVER = 0, 1, -1


@dataclass(frozen=True)
class Vocabulary:
    """Three marks, then actions, then products: one table of tokens.

    >>> Vocabulary(("cart", "purchase", "view"), 240).size
    246
    """

    actions: tuple[str, ...]
    n_items: int

    def __post_init__(self) -> None:
        if BOUGHT not in self.actions or len(self.actions) < 2:
            what, want = f"actions {', '.join(self.actions)}", "purchase, and another one"
            raise DataError(what, "log", want, "map a column to action when reading")

    @property
    def items_from(self) -> int:
        """The token of the first product."""
        return FIRST + len(self.actions)

    @property
    def size(self) -> int:
        """Tokens in all."""
        return self.items_from + self.n_items

    @property
    def bought(self) -> int:
        """The token of the purchase."""
        return FIRST + self.actions.index(BOUGHT)

    def recode(self, action: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        """Action codes as this vocabulary numbers them. Raises `DataError` for an action that it
        does not hold."""
        table = np.array([(*self.actions, name).index(name) for name in names] or [0])
        found = table[action]
        unknown = found == len(self.actions)
        if unknown.any():
            what = f"the action {names[action[np.argmax(unknown)]]!r} was not met in training"
            raise DataError(what, "action", f"one of {', '.join(self.actions)}", "train it anew")
        return found

    @cached_property
    def kinds(self) -> np.ndarray:
        """What each token is, (size,): 0 pad and bos, 1 eos, 2 a product, 3 + a the action a."""
        kinds = np.full(self.size, 2)
        kinds[[PAD, BOS, EOS]] = 0, 0, 1
        kinds[FIRST : self.items_from] = 3 + np.arange(len(self.actions))
        return kinds

    @cached_property
    def table(self) -> np.ndarray:
        """The next state from a state and a kind of token, −1 where the grammar forbids it.

        States: start, end, then for each action a run that is opened (2 + a), and one with products
        (2 + n_actions + a).
        """
        n, bought = len(self.actions), self.actions.index(BOUGHT)
        table = np.full((2 + 2 * n, 3 + n), NEVER)
        others = np.delete(np.arange(n), bought)
        table[START, 3 + others] = 2 + others
        for action in range(n):
            opened, run = 2 + action, 2 + n + action
            table[[opened, run], 2] = run
            if action != bought:
                table[run, 3 + np.arange(n)] = 2 + np.arange(n)
                table[run, 3 + action] = NEVER
        table[2 + n + bought, 1] = END
        return table

    @cached_property
    def need(self) -> np.ndarray:
        """Tokens until the end at least, from each state."""
        n, bought = len(self.actions), self.actions.index(BOUGHT)
        need = np.full(2 + 2 * n, 4)
        need[[START, END]] = 5, 0
        need[2 + n :] = 3
        need[[2 + bought, 2 + n + bought]] = 2, 1
        return need

    @cached_property
    def _left(self) -> np.ndarray:
        """Tokens until the end at least, after each token in each state; very many where it is
        forbidden."""
        following = self.table[:, self.kinds]
        return np.where(following == NEVER, np.iinfo(np.int32).max, self.need[following])

    def allowed(self, left: int) -> np.ndarray:
        """Which tokens each state allows when `left` tokens may follow, this one among them:
        (states, size). From the end only padding."""
        fits = self._left < left
        fits[END] = False
        fits[END, PAD] = True
        return fits

    def states(self, tokens: np.ndarray) -> np.ndarray:
        """The state before each token of (n, T) tokens without bos, −1 once the grammar is broken;
        a last column holds the state at the end: (n, T + 1)."""
        states = np.full((len(tokens), tokens.shape[1] + 1), START)
        for step in range(tokens.shape[1]):
            before = states[:, step]
            after = self.table[before, self.kinds[tokens[:, step]]]
            after = np.where((before == END) & (tokens[:, step] == PAD), END, after)
            states[:, step + 1] = np.where(before == NEVER, NEVER, after)
        return states

    def mask(self, tokens: np.ndarray, longest: int) -> np.ndarray:
        """What is allowed at each step of (n, T) tokens that may be `longest` at most: (n, T,
        size). Nothing after a token that the grammar forbids."""
        before = self.states(tokens)[:, :-1]
        steps = np.arange(before.shape[1])
        tables = np.stack([self.allowed(longest - step) for step in steps])
        return tables[steps, np.maximum(before, 0)] & (before != NEVER)[..., None]

    def valid(self, tokens: np.ndarray) -> np.ndarray:
        """Which of (n, T) decoded rows are sentences of the grammar."""
        return self.states(tokens)[:, -1] == END
