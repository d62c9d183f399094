"""What scoring a table of texts costs, against plain forward passes, the loop people write, and
inseq.

    python benchmarks/contrast.py [--inseq PYTHON] [--threads 1] [--repeats 7] [--small]

Random Llamas and random excerpts of the generated texts, with the pocket model's tokenizer. One
line varies one thing: the length of the response, of the prompt, of what is left of it without the
persona, the size of the model, the vocabulary. In every repetition each way is run once, one after
the other, and compared within it; medians are shown. PYTHON: the interpreter of inseq's own
environment (`benchmarks/rivals/README.md`); left out where it is not given. `--small`: four texts,
two repetitions, no large model, for trying the script. Resumes (`runs/contrast`). Writes
`benchmarks/results/contrast.csv`, `.md` and `.png`.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from boomerang import RESULTS, markdown
from pydantic import BaseModel, ConfigDict, PositiveInt
from rivals.measure import clock

from workbench.language import load_causal_lm
from workbench.runs import run
from workbench.settings import physical_memory, settings
from workbench.tokens import passes, score_tokens
from workbench.tokens.encoding import encode_pairs
from workbench.worlds.shop import load_world

INSEQ = "INSEQ_PYTHON"
AXES = {
    "response": "tokens of the response",
    "prompt": "tokens of the prompt",
    "share": "share left without the persona",
    "parameters": "parameters",
    "vocabulary": "vocabulary",
}


LOOKS = {
    "inseq": ("^", "#999999"),
    "loop": ("s", "#E69F00"),
    "score_tokens": ("o", "#0072B2"),
    "plain": ("x", "#000000"),
}


class Cell(BaseModel):
    """One point: a model, lengths in tokens (each text's are drawn within a quarter of them), and
    how often."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    against: Literal["response", "prompt", "share", "parameters", "vocabulary"]
    hidden: PositiveInt = 256
    layers: PositiveInt = 4
    vocabulary: PositiveInt = 8_000
    prompt: PositiveInt = 256
    share: float = 0.2
    response: PositiveInt = 64
    texts: PositiveInt = 16
    repeats: PositiveInt = 7
    threads: PositiveInt = 1
    seed: int = 1


def points(small: bool = False, **same: Any) -> list[Cell]:
    """One thing is varied at a time; the middle point stands in every line."""
    cells = [Cell(against="response", response=n, **same) for n in (16, 64, 256)]
    cells += [Cell(against="prompt", prompt=n, **same) for n in (64, 256, 1024)]
    cells += [Cell(against="share", prompt=1024, share=s, **same) for s in (0.05, 0.2, 0.5, 1.0)]
    few = {512: 8, 1024: 4}  # texts, so that a large model takes no hours
    for hidden, layers in ((128, 4), (256, 4), (512, 5), *(() if small else ((1024, 6),))):
        less = {"texts": min(same.get("texts", 16), few.get(hidden, 16))}
        cells.append(Cell(against="parameters", hidden=hidden, layers=layers, **same | less))
    cells += [Cell(against="vocabulary", vocabulary=n, **same) for n in (8_000, 32_000, 128_000)]
    return cells


def build(cell: Cell) -> tuple[Any, Any]:
    """A Llama of random weights, wide enough in its logits for PIR of about one nat, and the
    pocket's tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(cell.seed)
    _, tokenizer = load_causal_lm("pocket")
    sizes = {
        "hidden_size": cell.hidden,
        "intermediate_size": 11 * cell.hidden // 4,
        "num_hidden_layers": cell.layers,
    }
    sizes |= {"num_attention_heads": cell.hidden // 64, "num_key_value_heads": cell.hidden // 64}
    ends = {
        name: getattr(tokenizer, name) for name in ("pad_token_id", "bos_token_id", "eos_token_id")
    }
    context = {"max_position_embeddings": 4096, "vocab_size": cell.vocabulary}
    config = LlamaConfig(
        **sizes,
        **ends,
        **context,
        initializer_range=1.5 / cell.hidden**0.5,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config).eval(), tokenizer


def excerpts(cell: Cell, tokenizer: Any) -> pd.DataFrame:
    """Pairs of about the wanted lengths: [text, prompt_with, prompt_without, response]."""
    rng = np.random.default_rng(cell.seed)
    words = " ".join(load_world().texts["response"]).split()
    a_word = len(tokenizer(" ".join(words[:20_000]))["input_ids"]) / 20_000

    def some(tokens: float) -> str:
        size = max(1, round(tokens * rng.uniform(0.75, 1.25) / a_word))
        first = rng.integers(len(words) - size)
        return " ".join(words[first : first + size])

    rows = []
    for text in range(cell.texts):
        query, response = some(cell.prompt * cell.share), some(cell.response)
        persona = some(cell.prompt * (1 - cell.share)) if cell.share < 1 else "x"
        bare = f"<s><query>{query}<response>"
        rows.append((text, f"<s><persona>{persona}<query>{query}<response>", bare, response))
    return pd.DataFrame(rows, columns=["text", "prompt_with", "prompt_without", "response"])


@torch.no_grad()
def loop(model: Any, tokenizer: Any, pairs: pd.DataFrame) -> np.ndarray:
    """The ten lines that people write today: two passes a text, log-softmax of all positions, one
    text at a time."""
    out = []
    for row in pairs.itertuples():
        found = []
        for prompt in (row.prompt_with, row.prompt_without):
            before = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
            after = tokenizer(row.response, add_special_tokens=False, return_tensors="pt").input_ids
            logits = model(torch.cat([before, after], dim=1)).logits[0, before.shape[1] - 1 : -1]
            found.append(logits.log_softmax(-1).gather(-1, after[0][:, None])[:, 0])
        out.append(found[0] - found[1])
    return torch.cat(out).double().numpy()


@torch.no_grad()
def plain(
    model: Any, batches: list[tuple[torch.Tensor, torch.Tensor]], masked: bool = False
) -> None:
    """Forward passes and nothing else: padded batches of like length, all logits, no cache of keys
    and values.

    Without a mask is the harder goal: padding stands on the right, and attention without a mask is
    faster.
    """
    for tokens, mask in batches:
        model(input_ids=tokens, use_cache=False, **({"attention_mask": mask} if masked else {}))


@torch.no_grad()
def bare_logits(model: Any, batches: list[list[passes.Pass]]) -> None:
    """Our passes over the texts with persona, up to the logits: what is left is the price of the
    scores."""
    for batch in batches:
        passes.response_logits(model, batch)


def pad(rows: list[torch.Tensor]) -> torch.Tensor:
    """Rows of whole numbers as one table, zeros on the right."""
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).long()


def measure(cell: Cell) -> pd.DataFrame:
    """One row: lengths, median seconds of each way, and the medians of the ratios within a
    repetition."""
    torch.set_num_threads(cell.threads)
    model, tokenizer = build(cell)
    pairs = excerpts(cell, tokenizer)
    rows = encode_pairs(tokenizer, pairs)
    whole = [(row["with"], row["ids"]) for row in rows]
    ours = list(passes.batches(whole, model, 64, 8192, 1 << 26))
    padded = [
        (pad([torch.tensor(p + r) for p, r in b]), pad([torch.ones(len(p + r)) for p, r in b]))
        for b in ours
    ]
    ways = {
        "plain": lambda: plain(model, padded),
        "masked": lambda: plain(model, padded, masked=True),
        "score_tokens": lambda: score_tokens(model, tokenizer, pairs)["pir"].to_numpy(),
        "loop": lambda: loop(model, tokenizer, pairs),
        "logits": lambda: bare_logits(model, ours),
    }
    answers = {name: way() for name, way in ways.items()}  # warm
    seconds = pd.DataFrame(
        [{name: clock(way)[0] for name, way in ways.items()} for _ in range(cell.repeats)]
    )
    tokens = sum(len(row["ids"]) for row in rows)
    long, short = (sum(len(row[side]) for row in rows) + tokens for side in ("with", "without"))
    found = {
        "parameters": sum(one.numel() for one in model.parameters()),
        "scored": tokens,
        "length_with": long / len(rows),
        "length_without": short / len(rows),
        "theory": 1 + short / long,
        "over_plain": (seconds["score_tokens"] / seconds["plain"]).median(),
        "over_masked": (seconds["score_tokens"] / seconds["masked"]).median(),
        "over_loop": (seconds["score_tokens"] / seconds["loop"]).median(),
        "spread": answers["loop"].std(),
        "loop_difference": np.abs(answers["score_tokens"] - answers["loop"]).max(),
    }
    return pd.DataFrame([found | seconds.median().to_dict()])


def beside(cell: Cell) -> pd.DataFrame:
    """inseq on the first text: seconds a token, and the largest difference from our values."""
    torch.set_num_threads(cell.threads)
    model, tokenizer = build(cell)
    pairs = excerpts(cell, tokenizer).iloc[:1]
    pir = score_tokens(model, tokenizer, pairs)["pir"].to_numpy()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        model.save_pretrained(folder / "model")
        tokenizer.save_pretrained(folder / "model")
        texts = pairs[["prompt_with", "prompt_without", "response"]].values.tolist()
        job = {"model": str(folder / "model"), "threads": cell.threads, "texts": texts}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        script = Path(__file__).parent / "rivals" / "inseq_run.py"
        quiet = {
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": str(cell.threads),
            "TOKENIZERS_PARALLELISM": "false",
        }
        command = [os.environ[INSEQ], str(script)]
        done = subprocess.run(
            command, cwd=folder, env=os.environ | quiet, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(f"inseq_run.py: {done.stderr[-2000:]}")
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    (values,) = result["values"]
    found = {
        "inseq": sum(result["seconds"]) / len(values),
        "inseq_difference": np.abs(np.array(values) - pir).max(),
    }
    return pd.DataFrame([found | {"versions": json.dumps(result["versions"])}])


def judged(table: pd.DataFrame) -> pd.DataFrame:
    """The lines of the page, with the goal that each has to meet."""
    rows = []
    for cell in table.itertuples():
        # the goal for short persona-free texts holds where the whole of such a text is a fifth of
        # the other
        goal = min(1.15 * cell.theory, 1.3 if cell.theory <= 1.2 else np.inf)
        value = getattr(cell, cell.against)
        line = {
            "varied": AXES[cell.against],
            "at": f"{value:,}" if cell.against != "share" else f"{value:.0%}",
            "lengths": f"{cell.length_with:.0f}, {cell.length_without:.0f}",
            "1 + ratio of lengths": f"{cell.theory:.2f}",
            "× plain": f"{cell.over_plain:.2f}",
            "goal": f"≤ {goal:.2f}",
            "verdict": "met" if cell.over_plain <= goal else "missed",
            "× plain with mask": f"{cell.over_masked:.2f}",
            "ms a token": f"{1e3 * cell.score_tokens / cell.scored:.3g}",
            "loop": f"{1e3 * cell.loop / cell.scored:.3g}",
            "time of the loop": f"{cell.over_loop:.0%}",
        }
        if "inseq" in table:
            line["inseq"] = f"{1e3 * cell.inseq:.3g}"
            line["inseq, times ours"] = f"{cell.inseq / (cell.score_tokens / cell.scored):.0f}"
        rows.append(line)
    return pd.DataFrame(rows)


def short(value: float, name: str) -> str:
    """A value as a label: 5%, 256, 32k, 5.3M."""
    if name == "share":
        return f"{value:.0%}"
    return (
        f"{value / 1e6:.2g}M"
        if value >= 1e6
        else f"{value / 1e3:g}k"
        if value >= 8e3
        else f"{value:g}"
    )


def draw(table: pd.DataFrame) -> None:
    """A panel for each thing that is varied: milliseconds a scored token of every way."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1, len(AXES), figsize=(16, 3.8), sharey=True, layout="constrained"
    )
    for axis, (name, label) in zip(axes, AXES.items(), strict=True):
        part = table[table["against"] == name].sort_values(name)
        for way, (mark, colour) in LOOKS.items():
            if way not in part:
                continue
            each = part[way] if way == "inseq" else part[way] / part["scored"]
            said = {"plain": "plain forward passes, with persona", "inseq": "inseq 0.7.1"}.get(
                way, way
            )
            axis.plot(part[name], 1e3 * each, marker=mark, color=colour, ms=6, lw=1.5, label=said)
        axis.set(xscale="log", yscale="log", xlabel=label)
        axis.set_xticks(part[name], [short(value, name) for value in part[name]])
        axis.minorticks_off()
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("milliseconds a scored token")
    axes[0].legend(fontsize=8, frameon=False)
    figure.savefig(RESULTS / "contrast.png", dpi=110, metadata={"Software": None})


def main() -> None:
    """Measure what is not measured yet, draw, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inseq", metavar="PYTHON")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    same: dict[str, Any] = {"threads": options.threads, "repeats": options.repeats}
    if options.small:
        same |= {"texts": 4, "repeats": 2}
    cells = points(options.small, **same)
    table = run(cells, measure, settings().runs / "contrast", version="2", progress=True)
    if options.inseq:
        os.environ[INSEQ] = options.inseq  # what is measured is inseq, wherever it is
        rival = run(cells, beside, settings().runs / "inseq", progress=True)
        table = table.join(rival[["inseq", "inseq_difference", "versions"]])
    RESULTS.mkdir(exist_ok=True)
    table.drop(columns="run").to_csv(
        RESULTS / "contrast.csv", index=False, lineterminator="\n", float_format="%.4g"
    )
    draw(table)
    where = f"{os.cpu_count()} cores, {physical_memory() / 1e9:.0f} GB, {platform.machine()}"
    agree = f"Largest difference of PIR from the loop: {table['loop_difference'].max():.1e} nats"
    if "inseq" in table:
        agree += f", from inseq: {table['inseq_difference'].max():.1e} (goal: 1e-4)"
        agree += f"; {json.loads(table['versions'].iloc[0])}"
    note = f"""
{agree}. PIR has a standard deviation of {table["spread"].min():.2g} to {table["spread"].max():.2g} nats in these
models.

How it was made. Random Llamas ({table["parameters"].min():,} to {table["parameters"].max():,} parameters), float32;
{table["texts"].min()} to {table["texts"].max()} texts, whose lengths are drawn within a quarter of those wanted;
{table["repeats"].max()} repetitions, ratios taken within each. *Plain*: forward passes over the texts with persona in
the same batches, all logits, no cache, tokens ready, no attention mask (with one, as most people write them, they take
longer). `score_tokens` tokenises, runs both passes and makes the table; it computes logits of response tokens alone,
which is why it can cost less than the ratio of lengths says. *Lengths*: mean tokens of prompt and response, with and
without persona. *Goal*: 1.15 × (1 + ratio of lengths), and 1.3 where the text without persona has a fifth of the tokens
or less (counting prompts alone, more rows would fall under 1.3; of those that the ratio of lengths does not forbid, the
model of 85 million parameters would miss it). *Loop*: two passes a text, one text at a time. *inseq*:
`contrast_prob_diff(logprob=True)`, first text alone, in its own environment, measured once (not again when our own code
changes). {datetime.date.today()}: {where}, one for this, the other shared with other work,
{options.threads} threads, torch {torch.__version__}.
""".strip()
    pages = [
        "# Scoring tokens: cost against plain forward passes",
        "Made by `python benchmarks/contrast.py`.",
    ]
    pages += [markdown(judged(table)), "![Milliseconds a scored token](contrast.png)", note]
    text = "\n\n".join(pages) + "\n"
    (RESULTS / "contrast.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
