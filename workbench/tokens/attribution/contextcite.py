"""ContextCite: a sparse linear model of what a token's probability does when memory items are left
out at random.

Cohen-Wang et al., ContextCite: Attributing Model Generation to Context, NeurIPS 2024. For random
sets S of memory items (each kept with probability ½), a LASSO on standardised membership fits

    logit p(y_i | S, x, y_<i)  ≈  b_i + Σ_{k ∈ S} w_ik,        logit p = log p − log(1 − p)

and w_ik is the value. Written anew on scikit-learn's Lasso, because the authors' package
`context_cite` needs spaCy, NLTK and datasets to be imported. What differs: sources are memory
items, not sentences; every token has its own model, theirs is of a chosen span; the prompts are
ours; sets may be the empty one, which here drops the persona's heading too. The same: 64 sets, the
penalty .01, the standardisation, the link. `link="log"` models log p, in nats, to stand beside
Shapley values: for an additive game and no penalty the two agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ConfigError, check_number
from workbench.tokens.coalitions import checked, score_coalitions, tidy
from workbench.tokens.rendering import Template


def context_cite(
    model: Any,
    tokenizer: Any,
    examples: pd.DataFrame,
    template: Template = None,
    ablations: int = 64,
    keep: float = 0.5,
    penalty: float = 0.01,
    link: str = "logit",
    seed: int = 0,
    batch_size: int = 64,
) -> pd.DataFrame:
    """w_ik of every token and memory item: [text, position, memory, value, whole].

    In log odds, or in nats with `link="log"`. `whole` is the change from no persona to the whole
    one on the same scale; the values need not add up to it. `ablations` sets are drawn with `seed`,
    each item in with probability `keep`; sets that come twice are scored once. Raises `ConfigError`
    for another link.
    """
    from sklearn.linear_model import Lasso
    from sklearn.preprocessing import StandardScaler

    if link not in ("logit", "log"):
        raise ConfigError(f"link {link!r}", expected="logit or log")
    check_number(2, ablations=ablations)
    check_number(0, seed=seed)
    check_number(0.0, 1.0, keep=keep)
    check_number(0.0, penalty=penalty)
    tables = []
    for row in checked(examples, tokenizer, template):
        items = len(row.memories)
        sets = np.random.default_rng(seed).random((ablations, items)) < keep
        asked = np.vstack([sets, np.ones(items, bool), np.zeros(items, bool)])
        scores = score_coalitions(model, tokenizer, row, asked, template, batch_size)
        if link == "logit":
            scores = scores - np.log(-np.expm1(np.minimum(scores, -1e-12)))
        scaler = StandardScaler()
        fitted = Lasso(alpha=penalty).fit(scaler.fit_transform(sets.astype(float)), scores[:-2])
        weights = np.atleast_2d(fitted.coef_) / scaler.scale_
        tables.append(tidy(row.text, weights.T, scores[-2] - scores[-1]))
    return pd.concat(tables, ignore_index=True)
