"""The training film: what the tokens of a few texts weighed and cost while a model learnt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from transformers import TrainerCallback

from workbench.tokens.objective import Collator, Objective
from workbench.tokens.passes import evaluating, input_device
from workbench.tokens.weights.protocol import token_losses, token_weights

FILM = ["step", "text", "position", "pir", "weight", "log_prob_with", "loss"]


class Film(TrainerCallback):
    """Score the same few texts every `every` steps, and before the first and after the last.

    `table` has a row for each response token and picture: `pir`, the `weight` that `loss` gives it
    (among these texts), `log_prob_with`, and `loss`, what it adds to n times the loss. Nats.
    Nothing here touches a random generator.
    """

    def __init__(
        self, objective: Objective, rows: Sequence[dict], collator: Collator, every: int
    ) -> None:
        self.objective, self.every = objective, every
        self.batch = Collator(collator.pad, 0.0, collator.columns)(rows)
        # which text each response token belongs to, and its place there
        sizes = [sum(label >= 0 for label in row["labels"]) for row in rows]
        self.text = np.repeat([row["text"] for row in rows], sizes)
        self.position = np.concatenate([np.arange(size) for size in sizes])
        self.table = pd.DataFrame(columns=FILM)

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take the first picture."""
        self._take(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Take a picture when it is time."""
        if state.global_step % self.every == 0 or state.global_step == state.max_steps:
            self._take(state.global_step)

    @torch.no_grad()
    def _take(self, step: int) -> None:
        model, loss = self.objective.model, self.objective.loss
        with evaluating(model):
            device = input_device(model)
            batch = {name: values.to(device) for name, values in self.batch.items()}
            tokens = self.objective.run(batch, persona_free=True)
        picture = {"step": step, "text": self.text, "position": self.position}
        picture |= {"pir": tokens.pir, "weight": token_weights(loss, tokens)}
        picture |= {"log_prob_with": tokens.log_prob_with, "loss": token_losses(loss, tokens)}
        for name in FILM[3:]:
            picture[name] = picture[name].double().cpu().numpy()
        new = pd.DataFrame(picture)
        self.table = pd.concat([self.table, new], ignore_index=True) if len(self.table) else new
