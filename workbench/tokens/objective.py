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
from workbench.tokens.encoding import encode_pairs, prompts_of
from workbench.tokens.weights.protocol import TokenLoss, Tokens, token_losses

IGNORED = -100  # the label of what is not trained on, as everywhere in Transformers


def carry(pairs: pd.DataFrame, table: pd.DataFrame, **columns: str) -> pd.DataFrame:
    """`pairs` with columns of a token table, one list a text, for losses that read them.

    >>> carry(pairs, score_tokens(teacher, tokenizer, pairs), teacher="pir")  # doctest: +SKIP
    """
    ordered = table.sort_values(["text", "position"], kind="stable").groupby("text")
    lists = {name: ordered[column].agg(list) for name, column in columns.items()}
    missing = sorted(set(pairs["text"]) - set(table["text"]), key=str)
    if missing:
        raise DataError(
            f"no scores of text {missing[0]!r}",
            "table",
            "every text of pairs",
            "score the same pairs",
        )
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
    if any(len(prompts_of(prompt)) > 1 for prompt in pairs.get("prompt_without", ())):
        raise ConfigError(
            "several prompts without the persona",
            "pairs",
            "one",
            "use FrozenTeacher with their scores",
        )
    unknown = [name for name in columns if name not in pairs]
    if unknown:
        raise ConfigError(
            f"no column {unknown[0]!r}", "pairs", do="add it with carry(pairs, table, …)"
        )
    tail = [tokenizer.eos_token_id] if end and tokenizer.eos_token_id is not None else []
    out = []
    for place, row in enumerate(
        encode_pairs(tokenizer, pairs, None if context is None else context - len(tail))
    ):
        response = [*row["ids"], *tail]
        ids = {
            "input_ids": [*row["with"], *response],
            "input_ids_without": [*row["without"], *response],
        }
        out.append({**ids, "labels": [IGNORED] * len(row["with"]) + response, "text": row["text"]})
        for name in columns:
            values = [float(value) for value in pairs[name].iloc[place]]
            if len(values) != len(row["ids"]):
                what = f"{len(values)} values for {len(row['ids'])} tokens"
                raise DataError(
                    what, f"column {name!r}, pairs row {place}", do="score with the same tokenizer"
                )
            if any(map(math.isnan, values)):
                raise DataError(
                    "a value is missing",
                    f"column {name!r}, pairs row {place}",
                    "a number for each token",
                )
            out[-1][name] = values + [math.nan] * len(tail)
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
        said = [
            row["labels"][next(i for i, y in enumerate(row["labels"]) if y != IGNORED) :]
            for row in rows
        ]
        k = math.ceil(self.persona_dropout * len(rows))
        twice = [*rows, *rows[:k]]
        ids = [row["input_ids"] for row in rows] + [row["input_ids_without"] for row in rows[:k]]
        batch = {**self._padded(ids), "response_labels": _left([*said, *said[:k]], IGNORED)}
        batch["labels"] = _left(
            [*(row["labels"] for row in rows), *([IGNORED] for _ in range(k))], IGNORED
        )
        share = self.persona_dropout * len(rows) / max(k, 1)
        batch["response_share"] = torch.tensor([1.0] * len(rows) + [share] * k)
        if "input_ids_without" in rows[0]:
            without = self._padded([row["input_ids_without"] for row in rows])
            batch |= {f"{name}_without": tensor for name, tensor in without.items()}
        for name in self.columns:
            batch[f"response_{name}"] = _left([row[name] for row in twice], 0.0)
        return batch

    def _padded(self, ids: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        mask = _left([[1] * len(row) for row in ids], 0)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        return {
            "input_ids": _left(ids, self.pad or 0),
            "attention_mask": mask,
            "position_ids": positions,
        }


def _left(rows: Sequence[Sequence[Any]], filler: Any) -> torch.Tensor:
    """Rows of unequal length as one tensor, filled up on the left."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[filler] * (longest - len(row)) + list(row) for row in rows])


class Objective:
    """The loss of a batch, as `compute_loss_func`; hooked to `model` until `remove()` is called.

    L = (1/n) (Σ_i sg[w_i] · ℓ_i + extra_i + persona dropout), n = `num_items_in_batch`, the
    response tokens of the whole step: batches that are accumulated give the gradient of one large
    batch. What a loss takes over a batch (a top share, a mean) it takes over each of the
    accumulated ones.
    """

    def __init__(self, model: Any, loss: TokenLoss) -> None:
        self.model, self.loss = model, loss
        self._kept: dict[str, torch.Tensor] = {}
        whole = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._takes = set(inspect.signature(whole.forward).parameters)
        self._hook = model.register_forward_pre_hook(self._before, with_kwargs=True)

    def remove(self) -> None:
        """Leave the model as it was."""
        self._hook.remove()

    def _before(
        self, _: Any, args: tuple, kwargs: dict[str, Any]
    ) -> tuple[tuple, dict[str, Any]] | None:
        mine = [
            name for name in kwargs if name.startswith("response_") or name.endswith("_without")
        ]
        if not mine:
            return None
        self._kept = {name: kwargs.pop(name) for name in mine}
        kwargs["use_cache"] = False
        if "position_ids" not in self._takes:  # no absolute positions, as in Bloom
            kwargs.pop("position_ids")
        if (
            "logits_to_keep" in self._takes and "labels" not in kwargs
        ):  # TRL asks once more, for its own measures, with labels
            kwargs["logits_to_keep"] = _places(kwargs["input_ids"], self._kept["response_labels"])
        return args, kwargs

    def __call__(
        self, outputs: Any, labels: torch.Tensor | None, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """The scalar loss, with gradient. Raises `ConfigError` where the batch is not the
        collator's."""
        batch, self._kept = self._kept, {}
        if "response_labels" not in batch:
            do = (
                "Objective(the model that the Trainer gets), "
                "data_collator=Collator(…), remove_unused_columns=False"
            )
            raise ConfigError("a batch without the collator's columns", "compute_loss_func", do=do)
        if len(outputs.logits) != len(batch["response_labels"]):
            raise ConfigError(
                "a batch that was split over devices",
                "compute_loss_func",
                do="one device, or torchrun",
            )
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
        logits = _response(logits, labels.shape[1])
        need = getattr(self.loss, "persona_free", True) if persona_free is None else persona_free
        if need and "input_ids_without" not in batch:
            raise ConfigError(
                "no input_ids_without", f"loss {self.loss.name!r}", "rows with both prompts"
            )
        without = None
        if need:
            with torch.set_grad_enabled(
                torch.is_grad_enabled() and getattr(self.loss, "through_both", False)
            ):
                bare = _response(self._pass(batch, "_without"), labels.shape[1])
                without = _pick(bare, wanted[:rows])
        columns = {
            name.removeprefix("response_"): _pick(values[:rows], wanted[:rows])
            for name, values in batch.items()
            if name.startswith("response_") and name not in ("response_labels", "response_share")
        }
        tokens = Tokens(
            _pick(logits[:rows], wanted[:rows]),
            _pick(labels[:rows], wanted[:rows]),
            without,
            columns,
        )
        plain = _pick(logits[rows:], wanted[rows:]), _pick(labels[rows:], wanted[rows:])
        scale = share[rows:, None].expand_as(labels[rows:])[wanted[rows:]]
        return tokens, (F.cross_entropy(*plain, reduction="none") * scale).sum()

    def run(self, batch: Mapping[str, torch.Tensor], persona_free: bool) -> Tokens:
        """The response tokens of a batch that did not come through the Trainer."""
        return self.tokens(self._pass(batch), batch, persona_free)[0]

    def _pass(self, batch: Mapping[str, torch.Tensor], suffix: str = "") -> torch.Tensor:
        names = ("input_ids", "attention_mask", *({"position_ids"} & self._takes))
        inputs = {name: batch[name + suffix] for name in names}
        if "logits_to_keep" in self._takes:
            inputs["logits_to_keep"] = _places(inputs["input_ids"], batch["response_labels"])
        return self.model(**inputs, use_cache=False).logits


def _places(ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The places whose logits predict the response: as many as the longest has tokens, all but the
    last place."""
    return torch.arange(ids.shape[1] - labels.shape[1], ids.shape[1], device=ids.device) - 1


def _response(logits: torch.Tensor, count: int) -> torch.Tensor:
    return logits if logits.shape[1] == count else logits[:, -count - 1 : -1]


def _pick(values: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The wanted places one after another, in at least single precision; no copy where all are
    wanted."""
    picked = values.flatten(0, 1) if bool(wanted.all()) else values[wanted]
    return picked.float() if picked.dtype in (torch.float16, torch.bfloat16) else picked
