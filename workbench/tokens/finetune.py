"""Fine-tune a language model with a token loss, and keep what its tokens weighed while it learnt:
the training film.

A quiet shell around the Trainer of Transformers for notebooks and grids: nothing printed, nothing
sent. For anything it does not do, use the Trainer itself as `workbench.tokens.objective` shows.
"""

from __future__ import annotations

import copy
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict, Field
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.utils import logging as hf_logging

from workbench.tokens.film import FILM, Film
from workbench.tokens.objective import Collator, Objective, training_rows
from workbench.tokens.weights.protocol import TokenLoss


class FineTuneConfig(BaseModel):
    """Schedule of a fine-tuning run: AdamW (β 0.9, 0.98), linear warm-up, cosine to a tenth of the
    peak; a step's gradient has norm 1 at most."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    steps: int = Field(default=300, ge=1)
    """Optimiser steps."""
    batch_size: int = Field(default=32, ge=1)
    """Texts that are run forward together."""
    accumulate: int = Field(default=1, ge=1)
    """Batches to one step."""
    learning_rate: float = Field(default=1e-3, gt=0)
    """Peak learning rate."""
    warm_up: int = Field(default=20, ge=0)
    """Steps until the peak."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay of the matrices; norms and biases have none."""
    persona_dropout: float = Field(default=0.125, ge=0, le=1)
    """Share of the texts that are also trained on without persona, the same for all losses."""
    film_every: int = Field(default=0, ge=0)
    """Steps between two pictures of the training film; 0: none."""


@dataclass(frozen=True)
class Training:
    """What a run leaves besides its weights."""

    loss: str
    """Name of the loss."""
    seed: int
    """Seed of the order of texts."""
    steps: pd.DataFrame
    """[step, loss, gradient_norm, learning_rate]: the value that was minimised, nats a token."""
    film: pd.DataFrame
    """[step, text, position, pir, weight, log_prob_with, loss]; see `Film`."""
    seconds: float
    """Time of this process in the Trainer."""

    def to_frame(self) -> pd.DataFrame:
        """The steps, with the name of the loss and the seed."""
        return self.steps.assign(method=self.loss, seed=self.seed)

    def __repr__(self) -> str:
        return f"Training({self.loss}, {self.steps['step'].max()} steps, seed {self.seed})"


def fine_tune(
    model: Any,
    tokenizer: Any,
    pairs: pd.DataFrame,
    loss: TokenLoss,
    config: FineTuneConfig | None = None,
    seed: int = 0,
    film: pd.DataFrame | None = None,
) -> tuple[Any, Training]:
    """Train a copy of `model` on `pairs` [text, prompt_with, prompt_without, response]; return it
    and its record.

    `model` is left as it was, so several losses can start from it; a PEFT model trains its adapter
    alone. `film`: pairs for the training film, taken every `film_every` steps.

    Same seed, same order of texts, whatever the loss. Raises what `training_rows` and the loss
    raise.

    >>> tuned, record = fine_tune(model, tokenizer, pairs, PerCE(), FineTuneConfig(steps=300))  # doctest: +SKIP
    """
    config = config or FineTuneConfig()
    columns = tuple(getattr(loss, "columns", ()))
    context = getattr(model.config, "max_position_embeddings", None)
    rows = training_rows(tokenizer, pairs, columns, context)
    collator = Collator(tokenizer.pad_token_id, config.persona_dropout, columns)
    model = copy.deepcopy(model)
    objective = Objective(model, loss)
    callbacks = []
    if film is not None and config.film_every:
        shown = training_rows(tokenizer, film, columns, context, end=False)
        callbacks.append(Film(objective, shown, collator, config.film_every))
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as work, _own_dice(), _quiet():
        trainer = Trainer(
            model,
            _arguments(config, seed, work, next(model.parameters()).device.type),
            data_collator=collator,
            train_dataset=rows,
            compute_loss_func=objective,
            callbacks=callbacks,
        )
        trainer.remove_callback(PrinterCallback)
        try:
            trainer.train()
        finally:
            objective.remove()
    # what the Trainer logs, under the names of the record
    names = {"grad_norm": "gradient_norm"}
    wanted = ["step", "loss", "gradient_norm", "learning_rate"]
    lines = [line for line in trainer.state.log_history if "loss" in line]
    steps = pd.DataFrame(lines).rename(columns=names)[wanted]
    pictures = callbacks[0].table if callbacks else pd.DataFrame(columns=FILM)
    record = Training(loss.name, seed, steps, pictures, time.perf_counter() - begun)
    return model.eval(), record


@contextmanager
def _own_dice() -> Iterator[None]:
    """The Trainer seeds the global generators, of Python and numpy too: afterwards they are as they
    were."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars and no warnings of Transformers inside."""
    level, bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        hf_logging.set_verbosity(level)
        if bars:
            hf_logging.enable_progress_bar()


def _arguments(config: FineTuneConfig, seed: int, folder: str, device: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=folder,
        max_steps=config.steps,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        warmup_steps=config.warm_up,
        adam_beta2=0.98,
        weight_decay=config.weight_decay,
        max_grad_norm=1.0,
        seed=seed,
        data_seed=seed,
        logging_steps=1,
        save_strategy="no",
        remove_unused_columns=False,
        # the Trainer would take a model to the GPU that its owner left on the processor
        use_cpu=device == "cpu",
        dataloader_pin_memory=device == "cuda",
        report_to="none",
        disable_tqdm=True,
    )
