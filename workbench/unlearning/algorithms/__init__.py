"""Ways to forget, one page each: `algorithm(model, before, request, config, seed)`.

The seven of the ERASE study, in two modes: `as_in_fork`, as we read the study's development code;
`corrected`, right sign, one frozen batch, a stated positive curvature. What a practitioner would do.
And controls, which no method may look like.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "controls": ["no_op"],
        "scif": ["SCIFConfig", "scif"],
        "gif": ["GIFConfig", "gif"],
        "ceu": ["CEUConfig", "ceu"],
        "idea": ["IDEAConfig", "idea"],
    },
)
