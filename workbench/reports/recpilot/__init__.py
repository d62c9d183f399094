"""RecPilot (arXiv 2603.07605), a page a part: the first agent imagines visits, the second remembers
and ranks; each says what the paper says and what is ours.

Core never imports these: stores and agents are handed to `Service.build`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "_using": ["using"],
        "agent": ["agent"],
        "asking": ["Asking", "ask", "attributes_of"],
        "archive": ["Archive"],
        "aspects": ["ATTRIBUTES", "Aspects", "rank_aspects"],
        "_run_length": ["breaks", "run_length"],
        "_sizes": ["SimulatorConfig", "SupervisedTraining"],
        "buttons": ["changed", "press", "press_row", "rows_behind"],
        "differences": ["Differences"],
        "candidates": ["bought_in", "candidates", "imagine", "rows_under", "scores"],
        "decoding": ["Drawn", "draw"],
        "experience": ["Experience"],
        "_grpo_run": ["GRPOConfig"],
        "_held": ["Held", "covisits"],
        "fidelity": ["fidelity"],
        "gate": ["decide", "may_speak"],
        "grammar": ["Vocabulary"],
        "grpo": ["advantages", "grpo"],
        "reading": ["nats", "swap_cost", "swapped"],
        "outside": ["Outside"],
        "rewards": ["RewardConfig", "Rewards"],
        "remembering": ["SimulatorPlace"],
        "rubric": ["Rubric", "RubricConfig"],
        "simulator": ["Simulator", "load_simulator"],
        "trajectories": ["Trajectories"],
        "visits": ["Visits", "last_visits", "visits_of"],
        "sections": ["Choice", "section_values", "value_of"],
        "weighed": ["Weighed", "weigh"],
    },
)
