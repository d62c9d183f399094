"""Unlearning: what taking rows out of a model changes, and what it does not.

`exposure.py` says who is shown what; `boomerang.py` and `leavers.py` ask it one question each. A
method is one page in `unlearning/algorithms/`, a function `algorithm(model, before, request, config,
seed)` that changes the copy it is handed; it may use what every trained model offers
(`recommend/trained.py`: tune, examples, targets, logits, rows, copy). The way through: a `Scenario`
of requests (`scenarios.py`), served one after another (`stream.py`, `outcome.py`), measured and held
against models that never saw the rows (`endpoints.py`, `references.py`). Attacks go to
`unlearning/audit/`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "exposure": [
            "churn",
            "exposure",
            "matched_mean",
            "matched_share",
            "never_had",
            "replaced",
            "share",
        ],
        "leavers": ["leavers", "score_after"],
        "boomerang": ["boomerang"],
        "boomerang_result": ["Boomerang"],
        "asking": ["requests_from"],
        "requests": ["Request", "merged", "numbered", "overlaps"],
        "outcome": ["Outcome", "unlearn"],
        "scenario": ["KeptApart", "Scenario"],
        "scenarios": ["accounts", "asked", "mistakes", "placebo", "sensitive", "together"],
        "spam": ["Spam", "spam"],
        "flood": ["Flood", "flood"],
        "lists": ["ListTable", "compare_lists"],
        "curvature": ["Coordinates", "Curvature", "gradient", "solve"],
        "stream": ["Method", "Stream", "checkpoints_of", "serve", "stream"],
        "endpoints": ["Distance", "distance", "margin_of", "null"],
        "measures": ["measures", "percentiles"],
        "references": ["References", "reseeded", "retrained", "retrains"],
        "assessment": ["Assessment", "assess", "measured"],
        "receipt": ["Receipt", "issue"],
        "receipt_check": ["verify"],
        "receipt_rows": ["rows_of"],
        "methods": ["CONTROLS", "METHODS", "NEEDS", "methods_for", "requests_per_retrain"],
        "laws": ["check_algorithm"],
        "grid": ["Plan", "plan"],
        "grid_config": ["Asked", "Grid", "Source"],
        "grid_run": ["estimate", "read_grid", "run_grid"],
        "grid_table": ["apart", "as_latex", "kept_models", "outcomes", "summary", "verdicts"],
    },
)
