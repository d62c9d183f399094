"""RecPilot (arXiv 2603.07605), a page a part; each says what the paper says and what is ours."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "aspects": ["ATTRIBUTES", "Aspects", "aspect_scores", "aspects_of", "rank_aspects"],
        "rubric": ["Rubric", "RubricConfig"],
    },
)
