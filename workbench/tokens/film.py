"""The training film: what the tokens of a few texts weighed and cost while a model learnt."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import TrainerCallback

from workbench.tokens.objective import Collator, Objective
from workbench.tokens.weights.protocol import token_losses, token_weights
from workbench.whole import whole_file

FILM = ["step", "text", "position", "pir", "weight", "log_prob_with", "loss"]


class Film(TrainerCallback):
    """Score the same few texts every `every` steps, and before the first and after the last.

    `table` has a row for each response token and picture: `pir`, the `weight` that `loss` gives it
    (among these texts), `log_prob_with`, and `loss`, what it adds to n times the loss. Nats. With
    `path` (parquet) the table is also kept on disk, whole at any moment, and a run that is resumed
    goes on with it. Nothing here touches a random generator.
    """

    def __init__(
        self,
        objective: Objective,
        rows: Sequence[dict],
        collator: Collator,
        every: int,
        path: Path | None,
    ):
        self.objective, self.every, self.path = objective, every, path
        self.rows, self.batch = rows, Collator(collator.pad, 0.0, collator.columns)(rows)
        self.table = pd.DataFrame(columns=FILM)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Go on with the film on disk, or take the first picture."""
        if state.global_step and self.path and self.path.is_file():
            kept = pd.read_parquet(self.path)
            self.table = kept[kept["step"] <= state.global_step]
        self._take(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take a picture when it is time."""
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self._take(state.global_step)

    @torch.no_grad()
    def _take(self, step):
        if step in set(self.table["step"]):
            return
        model, loss = self.objective.model, self.objective.loss
        device, training = next(model.parameters()).device, model.training
        model.eval()
        batch = {name: values.to(device) for name, values in self.batch.items()}
        tokens = self.objective.run(batch, persona_free=True)
        model.train(training)
        sizes = [sum(label >= 0 for label in row["labels"]) for row in self.rows]
        texts = pd.Series([row["text"] for row in self.rows]).repeat(sizes)
        new = pd.DataFrame({"step": step, "text": texts.to_numpy()})
        new["position"] = [place for n in sizes for place in range(n)]
        values = tokens.pir, token_weights(loss, tokens), tokens.log_prob_with
        for name, one in zip(FILM[3:], (*values, token_losses(loss, tokens)), strict=True):
            new[name] = one.double().cpu().numpy()
        self.table = pd.concat([self.table, new], ignore_index=True) if len(self.table) else new
        if self.path:
            with whole_file(self.path) as new:
                self.table.to_parquet(new, index=False)
