"""One visit: what a shopper comes for, looks at, compares, takes and leaves.

All randomness of a visit is in `play`, which the log and the forecast (`future`) share. What it
depends on beside the shopper's true weights, `State`, can be read off the log: what was bought,
and what was left in a cart.
"""

from __future__ import annotations

import numpy as np

from workbench.worlds.shop.shelf import Left, Shelf, State, Visit
from workbench.worlds.shop.shop import below, draw, one

NOISE = 0.05
"""Chance that a look is followed by a stray click."""
WISH, RESTOCK, BROWSE = 0.45, 0.55, 0.18
"""Chance that a visit is for an open wish, if there is one; else for what runs out; else for
nothing in particular."""
BUY, LEAVE, FULFIL = 0.50, 0.28, 0.55
"""Ends of a comparison, else one looks only; end of a visit for a wish, else one looks again."""
REPEAT, ON_LIST = 0.75, 0.7
"""Chance that what runs out is bought unchanged; that a second thing that runs out is on the
list."""
BASKET, BUY_MORE, BUY_NEAR = 0.25, 0.6, 0.35
"""Chance of a second comparison in the category after a purchase; of buying there, too; of buying
from the correlated category."""
GO_ON, FAVOURITE, NEAREST = 0.3, 0.2, 10.0
"""Chance of looking on after a purchase; of a heart; how much more a product of the nearest
kinds counts in the correlated category."""
MORE, BACK = 0.15, 3
"""Chance of looking at a third product of the kind; how often one looks back and forth at most."""


def play(rng: np.random.Generator, shelf: Shelf, user: int, day: int, state: State) -> Visit:
    """One visit of a shopper in a state, which is read and not changed."""
    return _Play(rng, shelf, user, day, state).visit()


class _Play:
    """One visit in the making."""

    def __init__(self, rng, shelf: Shelf, user: int, day: int, state: State) -> None:
        self.rng, self.shelf, self.user, self.day, self.state = rng, shelf, user, day, state
        drifted = 0 <= shelf.drift_day[user] <= day
        self.logit = shelf.choice["after" if drifted else "before"][user]
        self.choice = self.logit * state.factor
        self.new = shelf.fresh[user] if drifted else None
        self.views: list[tuple[int, str, str]] = []
        self.hearts: list[tuple[int, str, str]] = []
        self.cart: list[tuple[int, str]] = []
        self.later: list[tuple[int, str, str]] = []

    def visit(self) -> Visit:
        """Aim, first comparison, what comes beside it, and what comes after a purchase."""
        rng, due = self.rng, self.state.due(self.day)
        if self.state.left and rng.random() < WISH:
            visit = self._wish()
        elif due and rng.random() < RESTOCK:
            visit = self._restock(due)
        elif rng.random() < BROWSE:
            visit = self._browse()
        else:
            visit = self._compare()
        if visit.aim in ("compare", "restock"):
            self._beside(visit)
        if visit.bought and rng.random() < GO_ON:
            for _ in range(2 + below(rng, 3)):
                self._view(self.later, *self._drawn(self.choice))
        carts = [(item, "cart", cause) for item, cause in self.cart]
        paid = [(item, "purchase", cause) for item, cause in self.cart if item in visit.bought]
        visit.rows = [*self.views, *self.hearts, *carts, *paid, *self.later]
        if visit.bought:
            visit.outcome = "went on" if self.later else "bought"
        elif self.cart:
            visit.outcome = "left"
        return visit

    def _compare(self) -> Visit:
        """A product drawn by interest, held against others of its kind, then bought, left alone,
        or given up for one that only strikes the eye and is left in the cart."""
        target, cause = self._drawn(self.choice)
        visit = Visit("compare", int(self.shelf.kind[target]), target)
        end = self.rng.random()
        left = self._tempted(visit.kind) if BUY <= end < BUY + LEAVE else None
        if left is None:
            self._look([target], cause)
            if end < BUY:
                self._buy(visit, target, cause)
            return visit
        self._look([left.item], "wish")
        self.cart.append((left.item, "wish"))
        return Visit("compare", visit.kind, left=left)

    def _tempted(self, kind: int) -> Left | None:
        """A product that strikes the eye, and the reason why it will be left; none where nothing
        speaks against it."""
        own = self.shelf.members[kind]
        glance = self.shelf.glance(self.user, kind) * self.state.open[own]
        item = int(own[draw(self.rng, glance)])
        regret = self.shelf.regret(self.user, item, self.state.open)
        if regret.sum() < 0.3:
            return None
        return Left(item, self.day, draw(self.rng, regret) - 1)

    def _wish(self) -> Visit:
        """Back to a kind where something was left: compare again, and perhaps buy what is better
        for the reason that it was left for."""
        kinds = list(self.state.left)
        kind = one(self.rng, kinds)
        left = self.state.left[kind]
        visit = Visit("wish", kind)
        if self.rng.random() < FULFIL:
            reason = left.reason
            if reason is None:
                regret = self.shelf.regret(self.user, left.item, self.state.open)
                reason = draw(self.rng, regret) - 1
            better = self.shelf.better(self.user, left.item, reason, self.state.open)
            visit.target = self._among(better)
            self._look([visit.target, left.item], "wish")
            self._buy(visit, visit.target, "wish")
        else:
            self._look([left.item], "wish")
            if self.rng.random() < 0.5:
                self.cart.append((left.item, "wish"))
        return visit

    def _restock(self, due: list[int]) -> Visit:
        """What runs out, mostly the same as last time; the first on the list for sure."""
        order = self.rng.permutation(len(due))
        visit = Visit("restock", due[order[0]])
        for number, place in enumerate(order):
            if number and self.rng.random() > ON_LIST:
                continue
            own = self.shelf.members[due[place]]
            item = self.state.bought[due[place]][-1][1]
            if self.rng.random() > REPEAT:
                item = self._among(own)
            if not number:
                visit.target = item
            other = int(one(self.rng, own))
            for look in dict.fromkeys([other, item]):
                self._view(self.views, look, "repeat" if look == item else "compare")
            if self.rng.random() < 0.9:
                self._buy(visit, item, "repeat")
        return visit

    def _browse(self) -> Visit:
        """Looks here and there, each drawn by interest; nothing goes into the cart."""
        for _ in range(3 + below(self.rng, 4)):
            item, cause = self._drawn(self.choice)
            self._view(self.views, item, cause)
            if self.rng.random() < 0.1:
                self.hearts.append((item, "favourite", cause))
        return Visit("browse")

    def _beside(self, visit: Visit) -> None:
        """Beside the first comparison: looks in the correlated category, or (after a purchase) a
        second comparison in the same one."""
        category = int(self.shelf.category[self.shelf.members[visit.kind][0]])
        other, strength = self.shelf.partner.get(category, (-1, 0.0))
        # kinds that have no part in this visit yet, nor a wish of their own
        free = ~np.isin(self.shelf.kind, [visit.kind, *self.shelf.kind[visit.bought]])
        if self.rng.random() < strength:
            near = free * (self.shelf.category == other) * (self.logit + 1e-4) * self.state.factor
            near = near * np.where(self.shelf.nearest[category], NEAREST, 1.0)
            self._neighbours(visit, near)
        elif visit.bought and self.rng.random() < BASKET:
            near = free * (self.shelf.category == category) * self.choice
            if near.sum() > 0:
                target, cause = self._drawn(near)
                self._look([target], cause)
                if self.rng.random() < BUY_MORE:
                    self._buy(visit, target, cause)

    def _neighbours(self, visit: Visit, near: np.ndarray) -> None:
        """A few looks here and there in the correlated category; the last may be bought."""
        item = -1
        for _ in range(2 + below(self.rng, 3)):
            if near.sum() > 0:
                item = draw(self.rng, near)
                near[item] = 0.0
                self._view(self.views, item, "correlated")
        if item >= 0 and self.rng.random() < BUY_NEAR:
            self._buy(visit, item, "correlated")

    def _look(self, wanted: list[int], cause: str) -> None:
        """Look at the wanted and one or two others of the kind, in any order, then back and forth:
        the first of the wanted comes last."""
        own = self.shelf.members[self.shelf.kind[wanted[0]]]
        rest = [int(item) for item in self.rng.permutation(own) if item not in wanted]
        some = [*wanted, *rest[: 2 + (self.rng.random() < MORE) - len(wanted)]]
        seen = [some[place] for place in self.rng.permutation(len(some))]
        for _ in range(1 + below(self.rng, BACK)):
            again = [item for item in some if item != seen[-1]]
            seen.append(one(self.rng, again))
        if seen[-1] != wanted[0]:
            seen.append(wanted[0])
        for item in seen:
            self._view(self.views, item, cause if item in wanted else "compare")
        if self.rng.random() < FAVOURITE:
            self.hearts.append((wanted[0], "favourite", cause))

    def _view(self, rows: list, item: int, cause: str) -> None:
        rows.append((item, "view", cause))
        if self.rng.random() < NOISE:
            rows.append((below(self.rng, self.shelf.n_items), "view", "noise"))

    def _buy(self, visit: Visit, item: int, cause: str) -> None:
        self.cart.append((item, cause))
        visit.bought.append(item)

    def _among(self, items: np.ndarray) -> int:
        """One of these products, drawn by interest."""
        return int(items[draw(self.rng, self.logit[items] + 1e-12)])

    def _drawn(self, choice: np.ndarray) -> tuple[int, str]:
        """A product drawn by interest, and whether that interest is new."""
        item = draw(self.rng, choice)
        new = self.new is not None and self.new[self.shelf.category[item]]
        return item, "drift" if new else "interest"
