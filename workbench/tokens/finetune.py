"""Fine-tune a language model with a token loss, and keep what its tokens weighed while it learnt:
the training film.

A quiet shell around the Trainer of Transformers for notebooks and grids: nothing printed, nothing
sent. For anything it does not do, use the Trainer itself as `workbench.tokens.objective` shows.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, Field
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.utils import logging as hf_logging

from workbench.errors import ConfigError, DataError, check_number
from workbench.language.loading import check_fits, check_loaded, context_of
from workbench.settings import Frozen
from workbench.tokens.film import FILM, Film
from workbench.tokens.objective import Collator, Objective, training_rows
from workbench.tokens.weights.protocol import TokenLoss, check_is_loss


class FineTuneConfig(Frozen):
    """Schedule of a fine-tuning run: AdamW (β 0.9, 0.98), linear warm-up, cosine to a tenth of the
    peak."""

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
    clip: float = Field(default=1.0, ge=0)
    """Largest norm of a step's gradient; 0 leaves it as it is."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Decoupled weight decay of the matrices; norms and biases have none."""
    persona_dropout: float = Field(default=0.125, ge=0, le=1)
    """Share of the texts that are also trained on without persona, the same for all losses."""
    film_every: int = Field(default=0, ge=0)
    """Steps between two pictures of the training film; 0: none."""
    save_every: int = Field(default=0, ge=0)
    """Steps between two checkpoints, in a run that has a folder; 0: none."""


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

    def __repr__(self):
        return f"Training({self.loss}, {self.steps['step'].max()} steps, seed {self.seed})"


def fine_tune(
    model: Any,
    tokenizer: Any,
    pairs: pd.DataFrame,
    loss: TokenLoss,
    config: FineTuneConfig | None = None,
    seed: int = 0,
    film: pd.DataFrame | None = None,
    folder: Path | None = None,
) -> tuple[Any, Training]:
    """Train a copy of `model` on `pairs` [text, prompt_with, prompt_without, response]; return it
    and its record.

    `model` is left as it was, so several losses can start from it; a PEFT model trains its adapter
    alone. `film`: pairs for the training film, taken every `film_every` steps. `folder` keeps
    checkpoints every `save_every` steps and the film: a run that was stopped goes on from there and
    ends with the weights of one that was not.

    Same seed, same order of texts, whatever the loss. Raises `ConfigError` when `folder` belongs to
    another run, and for what is no loss, `ModelError` for token ids that the model does not know,
    for weights that were rounded to a few bits and have no adapter, and what `training_rows` and the loss raise.

    >>> tuned, record = fine_tune(model, tokenizer, pairs, PerCE(), FineTuneConfig(steps=300))  # doctest: +SKIP
    """
    config = config or FineTuneConfig()
    if not isinstance(config, FineTuneConfig):
        raise ConfigError(f"config {config!r:.80}", expected="FineTuneConfig(steps=…)")
    check_is_loss(loss)
    check_loaded(model, "train")
    check_number(0, 2**32 - 1, seed=seed)
    columns, context = tuple(getattr(loss, "columns", ())), context_of(model)
    rows = training_rows(tokenizer, pairs, columns, context)
    filmed = film is not None and config.film_every > 0
    shown = training_rows(tokenizer, film, columns, context, end=False) if filmed else []
    if not rows or (filmed and not shown):
        raise DataError("no text", "film" if rows else "pairs", "one row or more")
    names = "input_ids", "input_ids_without"
    read = [one for row in [*rows, *shown] for name in names for one in row[name]]
    check_fits(model, tokenizer, [*read, tokenizer.pad_token_id or 0])
    collator = Collator(tokenizer.pad_token_id, config.persona_dropout, columns)
    model = copy.deepcopy(model)
    objective = Objective(model, loss)
    callbacks = []
    if filmed:
        path = Path(folder) / "film.parquet" if folder else None
        callbacks.append(Film(objective, shown, collator, config.film_every, path))
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as work, _own_dice(), _quiet():
        last = _claim(folder, config, loss, seed, rows, model) if folder else None
        device = next(model.parameters()).device.type
        trainer = Trainer(
            model,
            _arguments(config, seed, Path(folder or work), folder is not None, device),
            data_collator=collator,
            train_dataset=rows,
            compute_loss_func=objective,
            callbacks=callbacks,
        )
        trainer.remove_callback(PrinterCallback)
        try:
            trainer.train(resume_from_checkpoint=last)
        finally:
            objective.remove()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    logged = pd.DataFrame(lines).rename(columns={"grad_norm": "gradient_norm"})
    logged = logged[["step", "loss", "gradient_norm", "learning_rate"]]
    pictures = callbacks[0].table if callbacks else pd.DataFrame(columns=FILM)
    record = Training(loss.name, seed, logged, pictures, time.perf_counter() - begun)
    return model.eval(), record


@contextmanager
def _own_dice():
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
def _quiet():
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


def _arguments(config, seed, folder, keep, device):
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=config.steps,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulate,
        learning_rate=config.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        warmup_steps=config.warm_up,
        adam_beta2=0.98,
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        seed=seed,
        data_seed=seed,
        logging_steps=1,
        save_strategy="steps" if keep and config.save_every else "no",
        save_steps=config.save_every or 500,
        save_total_limit=2,
        remove_unused_columns=False,
        # the Trainer would take a model to the GPU that its owner left on the processor
        use_cpu=device == "cpu",
        dataloader_pin_memory=device == "cuda",
        report_to="none",
        disable_tqdm=True,
    )


def _claim(folder, config, loss, seed, rows, model):
    """Mark `folder` as this run's; the last whole checkpoint in it, if there is one."""
    told = loss.model_dump(mode="json") if isinstance(loss, BaseModel) else loss.name
    data = hashlib.sha256(json.dumps(rows, default=str).encode()).hexdigest()
    start = hashlib.sha256()  # a checkpoint would otherwise stand in for whatever model was given
    for name, value in model.state_dict().items():
        start.update(name.encode())
        start.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    identity = json.dumps([config.model_dump(), told, seed, data, start.hexdigest()], indent=1)
    folder = Path(folder)
    mark = folder / "run.json"
    file = folder.exists() and not folder.is_dir()
    if file or (folder.exists() and not mark.is_file() and any(folder.iterdir())):
        what = "the folder holds files that no run of this kind left"
        raise ConfigError(what, str(folder), "an empty folder", "give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    if mark.is_file() and mark.read_text(encoding="utf-8") != identity:
        do = "remove it to train anew, or give another folder"
        raise ConfigError(
            "the folder belongs to another model, config, loss, seed or corpus", str(folder), do=do
        )
    mark.write_text(identity, encoding="utf-8")
    # the Trainer writes it last
    whole = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None
