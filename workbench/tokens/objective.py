"""The loss that the Trainer of Transformers or TRL calls, and the rows and batches that it needs.

    model = get_peft_model(model, LoraConfig(...))                       # if you like
    objective = Objective(model, PerCE())
    trainer = Trainer(model, TrainingArguments(folder, remove_unused_columns=False), compute_loss_func=objective,
                      train_dataset=training_rows(tokenizer, pairs),
                      data_collator=Collator(tokenizer.pad_token_id))

`compute_loss_func` is handed the model's outputs, the labels and `num_items_in_batch`, but neither
the model nor the rest of the batch. So the objective hooks the model's forward: it takes off the
columns that are not the model's, and asks it for the logits of response positions alone. Give it
the very model that the Trainer gets. In TRL's SFTTrainer (which announces the end of
`compute_loss_func` with 2.0) add `dataset_kwargs={"skip_prepare_dataset": True}`.

Sequences are padded on the left: the response ends every row, in both passes, so its tokens stand
below each other.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F

from workbench.errors import ConfigError, DataError
from workbench.language.loading import check_loaded, check_tokenizer
from workbench.tokens.encoding import COLUMNS, check_columns, encode_pairs, prompts_of
from workbench.tokens.passes import left, padded
from workbench.tokens.weights.protocol import TokenLoss, Tokens, check_is_loss, token_losses

IGNORED = -100  # the label of what is not trained on, as everywhere in Transformers


def carry(pairs: pd.DataFrame, table: pd.DataFrame, **columns: str) -> pd.DataFrame:
    """`pairs` with columns of a token table, one list a text, for losses that read them.

    >>> carry(pairs, score_tokens(teacher, tokenizer, pairs), teacher="pir")  # doctest: +SKIP
    """
    check_columns(pairs, ("text",), "pairs")
    check_columns(table, ("text", "position", *columns.values()), "table")
    missing = sorted(set(pairs["text"]) - set(table["text"]), key=str)
    if missing:
        what = f"no scores of text {missing[0]!r}"
        raise DataError(what, "table", "every text of pairs", "score the same pairs")
    ordered = table.sort_values(["text", "position"], kind="stable").groupby("text")
    lists = {name: ordered[column].agg(list) for name, column in columns.items()}
    return pairs.assign(**{name: pairs["text"].map(found) for name, found in lists.items()})


def training_rows(
    tokenizer: Any,
    pairs: pd.DataFrame,
    columns: Sequence[str] = (),
    context: int | None = None,
    end: bool = True,
) -> list[dict[str, Any]]:
    """Token ids for the collator: [input_ids, labels, input_ids_without, text, <columns>], one dict
    a row of `pairs`.

    Prompt and response are tokenised apart. `labels` are the response's ids and −100 before; `end`
    adds the end token. `columns` of `pairs` hold a number for each response token; the end token,
    which no table scores, gets NaN. `context`: the most tokens that a row may have. Raises
    `DataError` and `TooLarge` as `score_tokens` does, and where a column's length is not the
    response's or a number is missing.
    """
    check_columns(pairs, COLUMNS, "pairs")
    columns = [columns] if isinstance(columns, str) else columns
    if any(len(prompts_of(prompt)) > 1 for prompt in pairs["prompt_without"]):
        do = "use FrozenTeacher with their scores"
        raise ConfigError("several prompts without the persona", "pairs", "one", do)
    unknown = [name for name in columns if name not in pairs]
    if unknown:
        do = "add it with carry(pairs, table, …)"
        raise ConfigError(f"no column {unknown[0]!r}", "pairs", do=do)
    check_tokenizer(tokenizer)
    tail = [tokenizer.eos_token_id] if end and tokenizer.eos_token_id is not None else []
    room = None if context is None else context - len(tail)
    out = []
    for place, row in enumerate(encode_pairs(tokenizer, pairs, room)):
        response = [*row["ids"], *tail]
        made = {"text": row["text"], "labels": [IGNORED] * len(row["with"]) + response}
        made["input_ids"] = [*row["with"], *response]
        made["input_ids_without"] = [*row["without"], *response]
        for name in columns:
            where = f"column {name!r}, pairs row {place}"
            try:
                values = [float(value) for value in pairs[name].iloc[place]]
            except (TypeError, ValueError) as error:
                raise DataError("no list of numbers", where, do="carry(pairs, table, …)") from error
            if len(values) != len(row["ids"]):
                what = f"{len(values)} values for {len(row['ids'])} tokens"
                raise DataError(what, where, do="score with the same tokenizer")
            if any(map(math.isnan, values)):
                raise DataError("a value is missing", where, "a number for each token")
            made[name] = values + [math.nan] * len(tail)
        out.append(made)
    return out


@dataclass(frozen=True)
class Collator:
    """Rows to one batch of tensors.

    With `persona_dropout` s, the first k = ⌈s · B⌉ of the B rows are run without persona as well,
    and s times their mean loss is added, unweighted, whatever the method; so the prompt without
    persona stays one that the model knows.
    """

    pad: int | None = 0
    persona_dropout: float = 0.0
    columns: Sequence[str] = ()

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """input_ids, labels (B + k, T); what ends in _without (B, T'); response_* (B + k, R), R the
        longest response.

        The labels of the k rows are −100, so that they do not count among `num_items_in_batch`.
        """
        k = math.ceil(self.persona_dropout * len(rows))
        share = self.persona_dropout * len(rows) / max(k, 1)
        # every row with its persona, the first k once more without
        twice = [*rows, *rows[:k]]
        ids = [row["input_ids"] for row in rows] + [row["input_ids_without"] for row in rows[:k]]
        said = [[label for label in row["labels"] if label != IGNORED] for row in twice]
        labels = [row["labels"] for row in rows] + [[IGNORED]] * k
        batch = padded(ids, self.pad or 0) | {"labels": left(labels, IGNORED)}
        batch["response_labels"] = left(said, IGNORED)
        batch["response_share"] = torch.tensor([1.0] * len(rows) + [share] * k)
        if "input_ids_without" in rows[0]:
            without = padded([row["input_ids_without"] for row in rows], self.pad or 0)
            batch |= {f"{name}_without": tensor for name, tensor in without.items()}
        for name in self.columns:
            batch[f"response_{name}"] = left([row[name] for row in twice], 0.0)
        return batch


class Objective:
    """The loss of a batch, as `compute_loss_func`; hooked to `model` until `remove()` is called.

    L = (1/n) (Σ_i sg[w_i] · ℓ_i + extra_i + persona dropout), n = `num_items_in_batch`, the
    response tokens of the whole step: batches that are accumulated give the gradient of one large
    batch. What a loss takes over a batch (a top share, a mean) it takes over each of the
    accumulated ones.
    """

    def __init__(self, model: Any, loss: TokenLoss) -> None:
        check_is_loss(loss)
        check_loaded(model)
        self.model, self.loss = model, loss
        self._kept: dict[str, torch.Tensor] = {}
        whole = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._takes = set(inspect.signature(whole.forward).parameters)
        self._hook = model.register_forward_pre_hook(self._before, with_kwargs=True)

    def remove(self) -> None:
        """Leave the model as it was."""
        self._hook.remove()

    def _before(self, _, args, kwargs):
        mine = [
            name for name in kwargs if name.startswith("response_") or name.endswith("_without")
        ]
        self._kept = {name: kwargs.pop(name) for name in mine}
        if mine:
            kwargs["use_cache"] = False
            if "position_ids" not in self._takes:  # no absolute positions, as in Bloom
                kwargs.pop("position_ids")
            # TRL asks once more, for its own measures, with labels
            if "logits_to_keep" in self._takes and "labels" not in kwargs:
                # as many places as the longest response has tokens, each before the one it predicts
                length, ids = self._kept["response_labels"].shape[1], kwargs["input_ids"]
                last = ids.shape[1] - 1
                kwargs["logits_to_keep"] = torch.arange(last - length, last, device=ids.device)
        return args, kwargs

    def __call__(
        self, outputs: Any, labels: torch.Tensor | None, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """The scalar loss, with gradient. Raises `ConfigError` where the batch is not the
        collator's."""
        batch, self._kept = self._kept, {}
        if "response_labels" not in batch:
            do = "Objective(the Trainer's model), Collator(…), remove_unused_columns=False"
            raise ConfigError("a batch without the collator's columns", "compute_loss_func", do=do)
        if len(outputs.logits) != len(batch["response_labels"]):
            what = "a batch that was split over devices"
            raise ConfigError(what, "compute_loss_func", do="one device, or torchrun")
        tokens, plain = self.tokens(outputs.logits, batch)
        total = token_losses(self.loss, tokens).sum() + plain
        return total / (len(tokens.labels) if num_items_in_batch is None else num_items_in_batch)

    def tokens(
        self,
        logits: torch.Tensor,
        batch: Mapping[str, torch.Tensor],
        persona_free: bool | None = None,
    ) -> tuple[Tokens, torch.Tensor]:
        """The response tokens in both passes, the second one run here if the loss reads it, and
        what dropout adds."""
        labels, share = batch["response_labels"], batch["response_share"]
        wanted = labels != IGNORED
        rows = len(batch.get("input_ids_without", labels))  # the rest is there by dropout
        n = int(wanted[:rows].sum())
        picked, said = _pick(logits, wanted), labels[wanted]
        # the pass without the persona, where it is read
        without = None
        if getattr(self.loss, "persona_free", True) if persona_free is None else persona_free:
            if "input_ids_without" not in batch:
                where = f"loss {self.loss.name!r}"
                raise ConfigError("no input_ids_without", where, "rows with both prompts")
            through = torch.is_grad_enabled() and getattr(self.loss, "through_both", False)
            with torch.set_grad_enabled(through):
                without = _pick(self._pass(batch, "_without"), wanted[:rows])
        columns = {
            name.removeprefix("response_"): values[wanted][:n]
            for name, values in batch.items()
            if name.startswith("response_") and name not in ("response_labels", "response_share")
        }
        # what dropout adds
        losses = F.cross_entropy(picked[n:], said[n:], reduction="none")
        scale = share[:, None].expand_as(labels)[wanted][n:]
        return Tokens(picked[:n], said[:n], without, columns), (losses * scale).sum()

    def run(self, batch: Mapping[str, torch.Tensor], persona_free: bool) -> Tokens:
        """The response tokens of a batch that did not come through the Trainer."""
        return self.tokens(self._pass(batch), batch, persona_free)[0]

    def _pass(self, batch, suffix=""):
        names = ("input_ids", "attention_mask", "position_ids")
        inputs = {name: batch[name + suffix] for name in names}
        return self.model(**inputs, response_labels=batch["response_labels"]).logits


def _pick(values, wanted):
    """The logits of the wanted places of the response one after another, in at least single
    precision; no copy where all are wanted."""
    count = wanted.shape[1]
    values = values if values.shape[1] == count else values[:, -count - 1 : -1]
    picked = values.flatten(0, 1) if bool(wanted.all()) else values[wanted]
    return picked.float() if picked.dtype in (torch.float16, torch.bfloat16) else picked
