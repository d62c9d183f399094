"""RecPilot's second agent (arXiv 2603.07605), a page a part: what it remembers and how it ranks; each
says what the paper says and what is ours.

Core never imports these: stores and agents are handed to `Service.build`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "_using": ["using"],
        "agent": ["agent"],
        "archive": ["Archive"],
        "aspects": ["ATTRIBUTES", "Aspects", "aspect_scores", "aspects_of", "rank_aspects"],
        "buttons": ["changed", "press", "press_row", "rows_behind"],
        "differences": ["Differences"],
        "experience": ["Experience"],
        "rubric": ["Rubric", "RubricConfig"],
        "sections": ["Choice", "section_values", "value_of"],
        "weighed": ["Weighed", "weigh"],
    },
)
