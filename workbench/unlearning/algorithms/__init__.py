"""Ways to forget, one page each: `algorithm(model, before, request, config, seed)`.

The seven of the ERASE study, in two modes: `as_in_fork`, as we read the study's development code;
`corrected`, right sign, one frozen batch, a stated positive curvature. What a practitioner would do.
And controls, which no method may look like.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "scif": ["SCIFConfig", "scif"],
        "gif": ["GIFConfig", "gif"],
        "ceu": ["CEUConfig", "ceu"],
        "idea": ["IDEAConfig", "idea"],
        "ascent": ["ascent", "AscentConfig"],
        "controls": [
            "fine_tune",
            "flipped",
            "half_way",
            "no_op",
            "noise_and_tune",
            "sign_flip",
            "TuneConfig",
        ],
        "exact": ["exact"],
        "fanchuan": ["fanchuan", "FanchuanConfig"],
        "kookmin": ["kookmin", "KookminConfig"],
        "resolve_user": ["resolve_user", "ResolveUserConfig"],
        "retrain": ["retrain", "RetrainConfig"],
        "seif": ["seif", "SEIFConfig"],
        "sisa": ["Sisa", "sharded", "SisaConfig"],
        "tombstone": ["Tombstone", "buried", "tombstone"],
        "warm_start": ["warm_start", "WarmStartConfig"],
    },
)
