"""What imagined visits end in: candidates with the visit that each came from, and "n of N".

    mixture      s_i = log 1/N Σ_n p(i | X, visit n up to its purchase)      the default
    full         s_i = max_n  log p(visit n up to its purchase, then i)      the paper's rule
    per token    the same, divided by the number of tokens
    purchase     s_i = max_n  log p(i | X, visit n up to its purchase)

The paper adds each candidate to its visit and ranks by the log-likelihood of the whole, which a
short visit wins. The mixture is what the simulator says of the next purchase, averaged over its own
draws.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from workbench.data import Catalogue, Histories
from workbench.data.checks import checked_codes
from workbench.errors import ConfigError, DataError, check_number, typed
from workbench.recommend import top_k
from workbench.reports.recpilot.decoding import Drawn, draw
from workbench.reports.recpilot.simulator import Simulator
from workbench.reports.support import Deletion, by_deletion

RULES = ("mixture", "full", "per token", "purchase")


@typed
def scores(drawn: Drawn, rule: str = "mixture") -> np.ndarray:
    """Scores of all products, (B, n_items); −inf where no visit came to a purchase."""
    if rule == "mixture":
        return logsumexp(drawn.purchase, axis=1) - np.log(drawn.purchase.shape[1])
    return by_visit(drawn, rule).max(axis=1)


@typed
def by_visit(drawn: Drawn, rule: str = "mixture") -> np.ndarray:
    """What each visit says of each product, (B, N, n_items)."""
    if rule not in RULES:
        raise ConfigError(f"rule {rule!r}", "candidates", f"one of {', '.join(RULES)}")
    if rule in ("mixture", "purchase"):
        return drawn.purchase
    # the tokens up to the first purchase, itself among them
    named = drawn.tokens == drawn.simulator.vocabulary.bought
    until = np.cumsum(named, axis=2) - named == 0
    whole = (drawn.log_probs * until).sum(axis=2)[..., None] + drawn.purchase
    length = (until & (drawn.tokens > 0)).sum(axis=2) + 1
    return whole / length[..., None] if rule == "per token" else whole


@typed
def candidates(drawn: Drawn, k: int = 10, rule: str = "mixture") -> pd.DataFrame:
    """The k best products of each history: [user, place, item, score, visit, of, out_of].

    visit: which of the N says most for it (its provenance); of, out_of: how many of the N visits
    buy it. Histories without a visit that buys have no row.
    """
    check_number(1, k=k)
    told, parts = scores(drawn, rule), by_visit(drawn, rule)
    bought, n = bought_in(drawn), drawn.tokens.shape[1]
    rows = []
    for b in np.flatnonzero(np.isfinite(told).any(axis=1)):
        best = top_k(told[[b]], k)[0]
        best = best[np.isfinite(told[b, best])]
        columns = {"user": drawn.histories.user[b], "place": np.arange(1, len(best) + 1)}
        columns |= {"item": best, "score": told[b, best], "visit": parts[b][:, best].argmax(axis=0)}
        rows.append(pd.DataFrame(columns | {"of": bought[b, :, best].sum(axis=1), "out_of": n}))
    names = ["user", "place", "item", "score", "visit", "of", "out_of"]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=names)


@typed
def bought_in(drawn: Drawn) -> np.ndarray:
    """What each drawn visit buys, as a set: booleans (B, N, n_items); a visit that breaks the
    grammar buys nothing."""
    b, n, _ = drawn.tokens.shape
    found = np.zeros((b * n, drawn.simulator.vocabulary.n_items), dtype=bool)
    found[drawn.valid.ravel()] = drawn.trajectories().bought()
    return found.reshape(b, n, -1)


@typed
def imagine(
    simulator: Simulator,
    histories: Histories,
    catalogue: Catalogue,
    n: int = 16,
    seed: int = 0,
) -> pd.DataFrame:
    """Of N imagined visits, how many end in each kind of product: [user, kind, of, out_of], most
    first. A visit that buys products of two kinds counts in both. Raises `DataError` for a catalogue
    of another size.

    >>> imagine(load_simulator(), log.histories([3]), catalogue)  # doctest: +SKIP
    """
    if len(catalogue) != histories.n_items:
        what = f"{len(catalogue)} products for {histories.n_items} of the histories"
        raise DataError(what, "catalogue", "the catalogue of the log")
    drawn = draw(simulator, histories, n, seed=seed)
    kinds, names = pd.factorize(catalogue.kind, sort=True)
    member = np.eye(len(names), dtype=bool)[kinds]
    of = (bought_in(drawn) @ member).sum(axis=1)
    row, kind = np.nonzero(of)
    columns = {"user": histories.user[row], "kind": names[kind], "of": of[row, kind], "out_of": n}
    order = np.lexsort((kind, -of[row, kind], row))
    return pd.DataFrame(columns).iloc[order].reset_index(drop=True)


@typed
def rows_under(
    simulator: Simulator,
    history: Histories,
    items: np.ndarray,
    n: int = 16,
    draws: int = 4,
    seed: int = 0,
) -> Deletion:
    """Which visits of a history carry "n of N end in one of these items": each is left out in turn,
    with the same random numbers, and what the N visits give these items at their first purchase is
    compared.

    items: codes; draws: how many times N visits, for the noise floor that is printed.
    """
    items = checked_codes(items, history.n_items, "items")

    def share(histories: Histories, seed: int) -> np.ndarray:
        drawn = draw(simulator, histories, n, seed=seed, common=True)
        return np.exp(drawn.purchase[:, :, items], dtype=np.float64).sum(axis=2).mean(axis=1)

    return by_deletion(share, history, draws=draws, seed=seed)
