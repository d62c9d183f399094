"""Words: what a person's part of the prompt does to each token of a text."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submodules=["attribution", "weights"],
    submod_attrs={
        "laws": ["check_loss", "check_score"],
        "aggregate": ["add_up", "pieces", "words"],
        "contrast": ["score_tokens"],
        "corpora": ["examples_of", "mark", "pairs_table", "sentences"],
        "decoding": ["Guidance", "write"],
        "deletion": ["Deletion", "delete_memory"],
        "detection": ["detection", "detection_by_kind"],
        "evaluation": ["personal_and_generic", "text_metrics"],
        "finetune": ["FineTuneConfig", "fine_tune"],
        "judge": ["judge", "verdict"],
        "maps": ["MemoryMap", "credit", "memory_map", "planted_memory"],
        "mixture": ["MixtureLM", "personal_share"],
        "objective": ["Collator", "Objective", "carry", "training_rows"],
        "own": ["examples"],
        "prompts": ["make_pairs"],
        "rendering": ["prompt"],
        "retrieval": ["retrieve"],
        "trust": ["trust"],
    },
)
