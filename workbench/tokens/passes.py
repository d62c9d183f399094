"""Forward passes of a causal language model over (prompt, response) pairs: logits of response
tokens, and no others.

Hidden states are picked just before the output layer, so that only rows that are scored are
multiplied by the vocabulary; whatever a model does to its logits afterwards (soft caps, scales) it
does to these as well.
"""

from __future__ import annotations

import inspect
import itertools
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from workbench.errors import ModelError
from workbench.language.loading import check_loaded, config_of

Pass = tuple[tuple[int, ...], tuple[int, ...]]  # token ids of a prompt, and of a response after it
START_COST = 256  # tokens that cost about as much as one batch more
CAUSAL: weakref.WeakSet[Any] = weakref.WeakSet()  # models that were found to be
AT_ONCE = 1 << 18  # logits turned into probabilities at a time: what fits a processor's cache


def vocabulary_of(model: Any) -> int:
    """The number of logits a token has."""
    head = _head(model)
    return getattr(head, "out_features", None) or getattr(config_of(model), "vocab_size", None) or 1


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Without dropout and gradients inside; a model that was training goes on training
    afterwards."""
    check_loaded(model)
    training = getattr(model, "training", False)
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def check_causal(model: Any) -> None:
    """Raise `ModelError` unless the model gives logits that do not depend on later tokens (tried
    once, on three)."""
    if model in CAUSAL:
        return
    what = None
    tokens = torch.tensor([[0, 0, 0], [0, 0, 1]], device=input_device(model))
    if getattr(config_of(model), "is_encoder_decoder", False):
        what = "an encoder-decoder model: it does not continue its prompt"
    else:
        logits = getattr(model(input_ids=tokens), "logits", None)
        if logits is None or logits.shape[:2] != tokens.shape:
            what = "the model returns no logits for every token"
        elif not _close(*logits[:, :2]):
            what = "the model looks at later tokens: it is not causal"
    if what:
        do = "load a causal language model (AutoModelForCausalLM)"
        raise ModelError(what, type(model).__name__, do=do)
    CAUSAL.add(model)


def _close(one, other):
    """Equal but for rounding, and for what is not finite in both."""
    scale = float(one[one.isfinite()].abs().amax()) if one.isfinite().any() else 0.0
    most = 64 * torch.finfo(one.dtype).eps * scale
    return torch.allclose(one.double(), other.double(), rtol=0, atol=most, equal_nan=True)


def batches(
    passes: Iterable[Pass], model: Any, batch_size: int, batch_tokens: int, batch_logits: int
) -> Iterator[list[Pass]]:
    """Passes in batches of like length, shortest first: at most so many rows, padded tokens,
    logits.

    A pass that exceeds a limit alone is a batch of its own. Within the limits the cuts are those
    with the least tokens, padding included, each batch counted as `START_COST` more: dynamic
    programming over the sorted lengths. (To cut where the next pass is much longer would let
    padding creep in, a token at a time.)
    """
    vocabulary = vocabulary_of(model)
    order = sorted(passes, key=lambda one: (len(one[0]) + len(one[1]), one))
    kept = list(itertools.accumulate((len(ids) for _, ids in order), initial=0))
    # of the best cuts before each place, and where the last batch of them begins
    cost, first = [0], []
    for place, (prompt, ids) in enumerate(order):
        best, length = None, len(prompt) + len(ids)
        for rows in range(1, min(batch_size, place + 1) + 1):
            start = place + 1 - rows
            logits = (kept[place + 1] - kept[start]) * vocabulary
            if rows > 1 and (length * rows > batch_tokens or logits > batch_logits):
                break
            found = cost[start] + length * rows + START_COST
            if best is None or found < best:
                best, begins = found, start
        cost.append(best)
        first.append(begins)
    cuts = [len(order)]
    while cuts[-1]:
        cuts.append(first[cuts[-1] - 1])
    for start, end in itertools.pairwise(reversed(cuts)):
        yield order[start:end]


def response_logits(model: Any, batch: list[Pass]) -> list[torch.Tensor]:
    """Logits (response tokens × vocabulary, in the model's dtype) that predict each response of a
    batch.

    Padding stands on the right, where a causal model never looks, hence no attention mask:
    attention without one is faster. What is padded with is a token of the text itself: any will do,
    and the model surely knows it.
    """
    texts = [[*prompt, *ids][:-1] for prompt, ids in batch]  # nothing is asked of the last token
    longest, sizes = max(map(len, texts)), [len(ids) for _, ids in batch]
    padded = [text + text[-1:] * (longest - len(text)) for text in texts]
    tokens = torch.tensor(padded, device=input_device(model))
    # where the response of each text is predicted: its last places
    row = np.repeat(np.arange(len(batch)), sizes)
    places = [np.arange(len(text) - n, len(text)) for text, n in zip(texts, sizes, strict=True)]
    column = np.concatenate(places)
    picked = []

    def pick(_, given):
        if not given or given[0].shape[:2] != tokens.shape:
            return None
        picked.append(True)
        return (given[0][row, column][None], *given[1:])

    known = inspect.signature(model.forward).parameters
    cache = "use_cache" in known or any(one.kind is one.VAR_KEYWORD for one in known.values())
    head = _head(model)
    hook = head.register_forward_pre_hook(pick) if head is not None else None
    try:
        logits = model(input_ids=tokens, **({"use_cache": False} if cache else {})).logits
    finally:
        if hook is not None:
            hook.remove()
    if logits.shape[:2] != ((1, len(row)) if picked else tokens.shape):
        shapes = tuple(logits.shape), tuple(tokens.shape)
        raise ModelError(f"logits of shape {shapes[0]} for tokens of shape {shapes[1]}")
    return list((logits[0] if picked else logits[row, column]).split(sizes))


def left(rows: Sequence[Sequence[Any]], filler: Any) -> torch.Tensor:
    """Rows of unequal length as one tensor, filled up on the left."""
    longest = max(map(len, rows))
    return torch.tensor([[filler] * (longest - len(row)) + list(row) for row in rows])


def padded(ids: Sequence[Sequence[int]], pad: int) -> dict[str, torch.Tensor]:
    """What a model takes of texts that are filled up on the left; padding takes no position."""
    mask = left([[1] * len(row) for row in ids], 0)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return {"input_ids": left(ids, pad), "attention_mask": mask, "position_ids": positions}


def gold(logits: torch.Tensor, ids: tuple[int, ...]) -> np.ndarray:
    """log p of each response token (float64, nats); not a number where the logits hold one, or plus
    infinity."""
    out = []
    for part, wanted in _parts(logits, torch.tensor(ids, device=logits.device)):
        wide = part if part.dtype == torch.float64 else part.float()
        found = wide.gather(-1, wanted[:, None])[:, 0].double() - torch.logsumexp(wide, -1).double()
        out.append(found.clamp(max=0.0))
    return torch.cat(out).cpu().numpy()


def entropy(logits: torch.Tensor) -> np.ndarray:
    """H(p) = −Σ_v p_v log p_v at each token (float64, nats)."""
    found = [
        torch.special.entr(torch.softmax(part.double(), -1)).sum(-1) for (part,) in _parts(logits)
    ]
    return torch.cat(found).cpu().numpy()


def divergence(one: torch.Tensor, *others: torch.Tensor) -> np.ndarray:
    """KL(p ‖ q) at each token (float64, nats); q is the mean of the probabilities of `others`."""
    found = []
    for first, *rest in _parts(one, *others):
        log_p = torch.log_softmax(first.double(), -1)
        each = torch.stack([torch.log_softmax(part.double(), -1) for part in rest])
        log_q = each.logsumexp(0) - np.log(len(rest))
        p = log_p.exp()
        # 0 · log 0 = 0
        found.append(torch.where(p > 0, p * (log_p - log_q), 0.0).sum(-1).clamp(min=0.0))
    return torch.cat(found).cpu().numpy()


def _parts(*tables):
    """Tables that all have a row per token, some rows at a time."""
    size = max(1, AT_ONCE // tables[0].shape[-1])
    return zip(*(table.split(size) for table in tables), strict=True)


def _head(model):
    return model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None


def input_device(model: Any) -> torch.device:
    """Where a model wants its tokens: the device of its input embeddings (a device map may spread
    the rest)."""
    embeddings = model.get_input_embeddings() if hasattr(model, "get_input_embeddings") else None
    device = torch.device(getattr(getattr(embeddings, "weight", model), "device", "cpu"))
    # offloaded: the hooks of accelerate move them
    return torch.device("cpu") if device.type == "meta" else device
