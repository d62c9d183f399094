"""Leave-one-out PIR: how much less likely a token is when one memory item is missing.

    PIR_k(i) = log p(y_i | p_u, x, y_<i) − log p(y_i | p_u ∖ k, x, y_<i)        [nats]

PIR of Zhang et al. (arXiv:2603.06595, Eq. 2) with one item deleted in place of all. The items'
values need not add up to PIR: two items that tell the same thing cover for each other and both get
0, so that PIR is left as a residual; an item that works only beside another one is counted twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from workbench.tokens.coalitions import checked, score_coalitions, tidy
from workbench.tokens.rendering import Template


def leave_each_out(
    model: Any,
    tokenizer: Any,
    examples: pd.DataFrame,
    template: Template = None,
    batch_size: int = 64,
) -> pd.DataFrame:
    """PIR_k of every token and memory item: [text, position, memory, value, whole, residual]; K + 2
    passes a text.

    `whole` is PIR, and `residual` = PIR − Σ_k PIR_k: positive where items cover for each other.
    """
    tables = []
    for row in checked(examples, tokenizer, template):
        items = len(row.memories)
        kept = np.vstack([~np.eye(items, dtype=bool), np.ones(items, bool), np.zeros(items, bool)])
        *less, whole, none = score_coalitions(model, tokenizer, row, kept, template, batch_size)
        values, pir = whole - less, whole - none
        tables.append(tidy(row.text, values, pir, residual=pir - values.sum(axis=0)))
    return pd.concat(tables, ignore_index=True)
