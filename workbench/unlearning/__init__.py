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
        "requests": ["Request", "merged"],
        "outcome": ["Outcome", "unlearn"],
        "scenarios": ["Scenario", "sensitive"],
        "stream": ["Method", "Stream", "checkpoints_of", "stream"],
        "endpoints": ["Distance", "distance", "measures", "percentiles"],
        "curvature": ["Coordinates", "Curvature", "gradient", "solve"],
        "references": ["reseeded", "retrains"],
        "methods": ["CONTROLS", "METHODS", "NEEDS", "methods_for", "requests_per_retrain"],
        "laws": ["check_algorithm"],
    },
)
