"""What a PerCE step costs beside a cross-entropy step, and where the time goes.

    python benchmarks/perce_step.py [--sizes 121k 1M 5M 24M] [--repeats 20] [--threads 1]

Random tokens, models with random weights, plain loops with AdamW and gradient clipping; the two
steps take turns, and each pair of neighbours gives one ratio. Beside the measured ratio stands what
can be expected: by tokens, a forward pass without gradient being a third of a step, 1 + ⅓ · (length
without / length with), and by the operations of both steps, counted by torch. Writes
`benchmarks/results/perce_step.csv` and `.md`.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from boomerang import RESULTS, markdown
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from workbench.settings import physical_memory
from workbench.tokens import Collator, FineTuneConfig, Objective, examples_of, fine_tune, make_pairs
from workbench.tokens.objective import IGNORED
from workbench.tokens.weights import CE, PerCE
from workbench.worlds import PersonaWorld


class Size(NamedTuple):
    """A model and the shape of its batches, in tokens."""

    name: str
    hidden: int
    layers: int
    vocabulary: int
    batch: int
    with_: int
    without: int
    response: int


SIZES = [
    Size("121k", 0, 0, 327, 32, 48, 37, 31),  # PersonaWorld's own
    Size("1M", 128, 2, 4096, 16, 256, 96, 64),
    Size("5M", 256, 5, 4096, 4, 320, 80, 48),
    Size("5M, long persona", 256, 5, 4096, 2, 800, 80, 48),
    Size("24M", 512, 6, 8192, 2, 320, 80, 48),
]
PARTS = ("pass with", "pass without", "weights and loss", "backward", "update")


def model_of(size: Size) -> Any:
    """PersonaWorld's model, or a Llama of the size."""
    if not size.hidden:
        return PersonaWorld().base_model(0)
    torch.manual_seed(0)
    shape = {
        "hidden_size": size.hidden,
        "num_hidden_layers": size.layers,
        "vocab_size": size.vocabulary,
    }
    heads = {"num_attention_heads": size.hidden // 32, "num_key_value_heads": size.hidden // 32}
    wide = {
        "intermediate_size": size.hidden * 11 // 4,
        "tie_word_embeddings": True,
        "max_position_embeddings": 2048,
    }
    return LlamaForCausalLM(LlamaConfig(**shape, **heads, **wide))


def batch_of(size: Size) -> dict[str, torch.Tensor]:
    """One batch of random tokens."""
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(size.batch):
        said = rng.integers(5, size.vocabulary, size.response).tolist()
        prompts = [
            rng.integers(5, size.vocabulary, n - size.response).tolist()
            for n in (size.with_, size.without)
        ]
        labels = [IGNORED] * len(prompts[0]) + said
        rows.append(
            {
                "input_ids": prompts[0] + said,
                "input_ids_without": prompts[1] + said,
                "labels": labels,
            }
        )
    return Collator()(rows)


class Step:
    """One optimiser step, in parts that can be timed."""

    def __init__(self, size: Size, loss: Any) -> None:
        self.model = model_of(size).train()
        self.objective = Objective(self.model, loss)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-5)
        self.batch = batch_of(size)
        self.clock: Callable[[], float] = time.process_time
        self.bare = [0.0]
        one_pass = self.objective._pass

        def timed(*given: Any) -> torch.Tensor:
            begun = self.clock()
            out = one_pass(*given)
            self.bare[0] = self.clock() - begun
            return out

        self.objective._pass = timed

    def __call__(self) -> list[float]:
        """Seconds of the parts of one step, in the order of `PARTS`."""
        inputs = dict(self.batch)
        labels, self.bare[0] = inputs.pop("labels"), 0.0
        at = [self.clock()]
        outputs = self.model(**inputs)
        at.append(self.clock())
        loss = self.objective(outputs, labels, (labels != IGNORED).sum())
        at.append(self.clock())
        loss.backward()
        at.append(self.clock())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        at.append(self.clock())
        forward, rest, backward, update = np.diff(at).tolist()
        return [forward, self.bare[0], rest - self.bare[0], backward, update]


def operations(size: Size, loss: Any) -> int:
    """Floating-point operations of one step's matrix products and attention."""
    step = Step(size, loss)
    with FlopCounterMode(display=False) as counter:
        step()
    return counter.get_total_flops()


def measure(size: Size, repeats: int) -> dict[str, Any]:
    """Seconds of both steps and their ratio, with what is expected of it."""
    ce, perce = Step(size, CE()), Step(size, PerCE())
    for _ in range(2):
        ce(), perce()
    times = np.array([[ce(), perce()] for _ in range(repeats)])  # repeats × 2 × parts
    whole = times.sum(axis=2)
    ratios = whole[:, 1] / whole[:, 0]
    draws = np.random.default_rng(0).choice(ratios, (2000, repeats))
    low, high = np.quantile(np.median(draws, axis=1), [0.025, 0.975])
    parameters = sum(weights.numel() for weights in ce.model.parameters())
    theory = 1 + size.without / size.with_ / 3
    found = {
        "model": size.name,
        "parameters": parameters,
        "texts": size.batch,
        "tokens with": size.with_,
    }
    found |= {"without": size.without, "response": size.response}
    found |= {"CE": np.median(whole[:, 0]), "PerCE": np.median(whole[:, 1])}
    found |= {"ratio": np.median(ratios), "low": low, "high": high, "by tokens": theory}
    found["by operations"] = operations(size, PerCE()) / operations(size, CE())
    found["allowed"] = theory * (1.05 if parameters >= 4_500_000 else 1.15)
    shares = np.median(times[:, 1], axis=0)
    return found | {
        f"share: {part}": share for part, share in zip(PARTS, shares / shares.sum(), strict=True)
    }


def trainer_beside_loop(steps: int = 60) -> tuple[float, float]:
    """Seconds a PerCE step on PersonaWorld takes in the Trainer, beyond what it takes to set up,
    and in the loop."""
    world = PersonaWorld()
    tokenizer, model = world.tokenizer(), world.base_model(0)
    pairs = make_pairs(examples_of(world.corpus(320, seed=1)), tokenizer)
    seconds = []
    for count in (4, 4, 4 + steps):
        begun = time.process_time()
        fine_tune(model, tokenizer, pairs, PerCE(), FineTuneConfig(steps=count, persona_dropout=0))
        seconds.append(time.process_time() - begun)
    step = Step(SIZES[0], PerCE())
    return (seconds[2] - seconds[1]) / steps, float(
        np.median([sum(step()) for _ in range(steps)][2:])
    )


def main() -> None:
    """Measure, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--sizes", nargs="+", choices=[size.name for size in SIZES], default=[s.name for s in SIZES]
    )
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    table = pd.DataFrame(
        [measure(size, options.repeats) for size in SIZES if size.name in options.sizes]
    )
    table["ok"] = np.where(table["ratio"] <= table["allowed"], "yes", "no")
    trainer, loop = trainer_beside_loop()
    RESULTS.mkdir(exist_ok=True)
    table.to_csv(RESULTS / "perce_step.csv", index=False, lineterminator="\n", float_format="%.4g")
    shown = pd.DataFrame(
        {"model": table["model"], "parameters": table["parameters"].map("{:,}".format)}
    )
    shown["batch"] = [
        f"{r[0]} × {r[1]} / {r[2]} / {r[3]}" for r in table[list(table.columns[2:6])].to_numpy()
    ]
    for name in ("CE", "PerCE"):
        shown[f"{name}, seconds"] = table[name].map("{:.3g}".format)
    found = zip(table["ratio"], table["low"], table["high"], strict=True)
    shown["PerCE / CE"] = [f"{ratio:.3f} [{low:.3f}, {high:.3f}]" for ratio, low, high in found]
    for name in ("by tokens", "by operations", "allowed"):
        shown[name] = table[name].map("{:.3f}".format)
    shown["reached"] = table["ok"]
    shares = table[["model"]].join(table.filter(like="share: ").map("{:.1%}".format))
    shares.columns = ["model", *PARTS]
    shares["pass without, by operations"] = (1 - 1 / table["by operations"]).map("{:.1%}".format)
    where = f"{os.cpu_count()} cores, {physical_memory() / 1e9:.0f} GB, {platform.machine()}"
    note = f"""
How it was made. Random tokens, all texts of a batch of one length (*batch*: texts × tokens with / without persona /
of these response); weights random; AdamW, clipping, single precision. Processor seconds of {options.threads} thread,
median of {options.repeats} steps; the ratio is the median over neighbouring steps with a 95 % percentile bootstrap.
*By tokens*: 1 + ⅓ · (length without / length with). *By operations*: matrix products and attention of both steps,
counted by torch; it is more than by tokens where the output layer counts, for both passes need the logits of all
response tokens, and less where the prompt is long, for attention grows with its square. *Allowed*: by tokens and 5 %
from 5 million parameters on, 15 % below. On PersonaWorld a PerCE step takes {trainer:.4f} s in the Trainer of
Transformers and {loop:.4f} s in the plain loop. {datetime.date.today()}: {where}, torch {torch.__version__}.
""".strip()
    pages = [
        "# A PerCE step beside a cross-entropy step",
        "Made by `python benchmarks/perce_step.py`.",
        markdown(shown),
    ]
    pages += ["Where the time of a PerCE step goes:", markdown(shares), note]
    text = "\n\n".join(pages) + "\n"
    (RESULTS / "perce_step.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
