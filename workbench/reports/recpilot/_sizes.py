"""Settings of the simulator and of its supervised stage."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from workbench.settings import Frozen


class SupervisedTraining(Frozen):
    """How the supervised stage is trained: AdamW, linear warm-up, then a cosine to a tenth."""

    steps: PositiveInt = 3_000
    """Optimiser steps."""
    batch: PositiveInt = 32
    """Visits a step, as in the paper."""
    learning_rate: PositiveFloat = 1e-3
    """Peak learning rate, as in the paper."""
    warm_up: PositiveInt = 200
    """Steps until the peak (unknown in the paper)."""
    weight_decay: NonNegativeFloat = 0.01
    """Weight decay of AdamW."""
    clip: PositiveFloat = 1.0
    """Largest norm of a gradient."""
    every: PositiveInt = 150
    """Steps between two looks at the validation visits."""
    patience: PositiveInt = 6
    """Looks without a better one after which training stops."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Seed of first weights, order and dropout."""
    threads: PositiveInt = 1
    """Torch threads."""


class SimulatorConfig(Frozen):
    """Settings of the simulator; sizes are the paper's, the remedies ours."""

    hidden: PositiveInt = 64
    """Width of the states."""
    inner: PositiveInt = 256
    """Width of the feed-forward layers."""
    layers: PositiveInt = 2
    """Layers of the encoder, and of the decoder."""
    heads: PositiveInt = 2
    """Attention heads."""
    head_size: PositiveInt = 64
    """Width of a head."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of states dropped in training; of attention weights none, which takes a third less time."""
    history: PositiveInt = 160
    """Tokens of a history that are read, the last ones (unknown in the paper)."""
    longest: int = Field(default=32, ge=5, le=1_024)
    """Tokens of a visit at most."""
    auxiliary: NonNegativeFloat = 1.0
    """Weight of the next-product loss on the encoder, which is then causal: every row of the
    history is a target. 0: none, and an encoder that looks both ways, as in the paper."""
    start: Literal["random", "ease", "svd"] = "random"
    """First item vectors: drawn, or the leading directions of EASE's weights or of the log."""
    own: bool = True
    """Let every step of the decoder weigh what the shopper did with each product, decayed."""
    training: SupervisedTraining = SupervisedTraining()
    """The supervised stage."""

    @classmethod
    def as_published(cls, **given: Any) -> SimulatorConfig:
        """None of the remedies."""
        return cls(auxiliary=0.0, start="random", own=False, **given)
