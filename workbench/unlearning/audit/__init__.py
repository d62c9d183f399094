"""How would you know? Attacks and checks, one a page, each with its control and its null in the same
table.

A check is a function of some models of each method (one a base), retrains, a `Scenario` and how many
of its requests were served; it returns an `Audit`: [check, row, estimate, low, high, null_low,
null_high, n, fires]. The null is retrain against retrain, and the line `retrain` the control. `audit` runs
several.

Where seeds differ much, checks are silent: of a small GRU4Rec (16 wide, 3 epochs, 20 people, 2 bases, 6
retrains) no line of 30 fired for doing nothing, and two for held-out retrains (KL, both groups).
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "_table": ["Audit"],
        "suite": ["CHECKS", "audit"],
        "rows": ["deleted_rows", "row_auc"],
        "topic": ["other_topic_items"],
        "lists": ["list_overlap", "overlap", "rank_biased_overlap"],
        "divergence": ["output_divergence"],
        "leak": ["leak_probe"],
        "membership": ["membership_inference", "shadow_models"],
        "relearn": ["relearning"],
        "population": ["hidden_case", "population_attack"],
        "harm": ["harm_to_others"],
        "strata": ["strata_distance"],
        "alignment": ["alignment_forecast", "alignments"],
        "pairs": ["pair_distances"],
        "planted": ["planted", "truth"],
    },
)
