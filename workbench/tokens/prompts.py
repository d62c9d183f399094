"""Prompts with a person in them, and the ways to take the person out again.

One example is a row [text, user, item, query, response, memories]; `memories` lists the memory items that make up the
persona p_u. An intervention says what stands in its place in the second pass of PIR; the paper deletes it,
do(P = ∅), and leaves the rest of the prompt as it is (arXiv:2603.06595, Eq. 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workbench.errors import ConfigError, DataError

EXAMPLE = ("text", "user", "item", "query", "response", "memories")
INTERVENTIONS = ("delete", "mask", "neutral", "other", "peer", "others", "each")
NEUTRAL = "Nothing is known about this person."
TEMPLATES = Path(__file__).parent / "templates"


def make_pairs(
    examples: pd.DataFrame,
    tokenizer: Any,
    intervention: str = "delete",
    template: str | Path | None = None,
    seed: int = 0,
    pool: pd.DataFrame | None = None,
    others: int = 4,
    neutral: str = NEUTRAL,
) -> pd.DataFrame:
    """Pairs for `score_tokens`: the columns of `examples` and [prompt_with, prompt_without, intervention].

    | intervention | what the second prompt holds in place of the persona |
    |---|---|
    | delete | nothing, its heading included: the paper's choice |
    | mask | as many mask (else pad, else unknown) tokens: positions stay where they were |
    | neutral | the sentence `neutral` |
    | other | the persona of one random example of `pool` by somebody else, drawn with `seed` |
    | peer | that of somebody else's text about the same item |
    | others | those of `others` examples by somebody else, as a tuple: p⁻ is the mean of their probabilities |
    | each | all memory items but one; a row per item, with its number in the column `memory` |

    `pool` is where others are drawn from (default: `examples`). `template` as in `prompt`. With "each" the texts are
    named `text/memory`.
    Raises `ConfigError` for another intervention, `DataError` for missing columns, an empty persona, or nobody to draw.
    """
    if intervention not in INTERVENTIONS:
        raise ConfigError(f"intervention {intervention!r}", expected=f"one of {INTERVENTIONS}")
    _check(examples)
    pool = examples if pool is None else pool
    rng = np.random.default_rng(seed)
    out = examples.assign(intervention=intervention)
    said = list(zip(examples["memories"], examples["query"], strict=True))
    out["prompt_with"] = [prompt(tokenizer, memories, query, template) for memories, query in said]
    if intervention == "each":
        out = out.assign(memory=[list(range(len(memories))) for memories in out["memories"]]).explode("memory")
        rows = zip(out["memories"], out["memory"], out["query"], strict=True)
        left = [([m for j, m in enumerate(memories) if j != k], query) for memories, k, query in rows]
        out["prompt_without"] = [prompt(tokenizer, memories, query, template) for memories, query in left]
        names = [f"{text}/{k}" for text, k in zip(out["text"], out["memory"], strict=True)]
        return out.assign(text=names, memory=out["memory"].astype(int)).reset_index(drop=True)
    if intervention in ("delete", "mask", "neutral"):
        put = {"delete": lambda _: (), "neutral": lambda _: (neutral,), "mask": lambda ms: _masked(tokenizer, ms)}
        instead = [(put[intervention](memories), query) for memories, query in said]
        raw = intervention == "mask"
        out["prompt_without"] = [prompt(tokenizer, memories, query, template, raw) for memories, query in instead]
        return out
    count, same = (others, False) if intervention == "others" else (1, intervention == "peer")
    drawn = [foreign(rng, pool, row, count, same) for row in examples.itertuples(index=False)]
    prompts = [
        tuple(prompt(tokenizer, pool["memories"].iat[place], query, template) for place in places)
        for places, query in zip(drawn, examples["query"], strict=True)
    ]
    out["prompt_without"] = prompts if intervention == "others" else [one for (one,) in prompts]
    return out


def prompt(
    tokenizer: Any, memories: Sequence[str], query: str, template: str | Path | None = None, raw: bool = False
) -> str:
    """The prompt for one query, the memory items one a line; without any, the persona's heading goes as well.

    `template`: None takes the tokenizer's chat template (persona as system message, or before the query where the
    template knows no system role), else the plain one that is shipped; or name a shipped template, a jinja file, or
    give a template's text; it sees `memories` and `query`. Text is quoted: what would read as a special token is broken
    up, unless `raw`.
    """
    told = [text if raw else quoted(text, tokenizer) for text in memories]
    query = quoted(query, tokenizer)
    if template is None and tokenizer.chat_template:
        return _chat(tokenizer, told, query)
    source = _source("plain" if template is None else template)
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True)
    try:
        return environment.from_string(source).render(memories=told, query=query)
    except TemplateError as error:
        raise ConfigError(f"template: {error}", expected="jinja that uses `memories` and `query`") from error


def quoted(text: str, tokenizer: Any) -> str:
    """Text from data as data: what would read as a special token (`</s>`) is broken up (`< /s>`)."""
    for special in tokenizer.all_special_tokens:
        text = text.replace(special, f"{special[0]} {special[1:]}")
    return text


def _check(examples: pd.DataFrame) -> None:
    missing = [name for name in EXAMPLE if name not in examples.columns]
    if missing:
        raise DataError(f"missing columns {missing}", where="examples", expected=f"columns {list(EXAMPLE)}")
    for place, memories in enumerate(examples["memories"]):
        if isinstance(memories, str) or not len(memories) or not all(str(one).strip() for one in memories):
            raise DataError(
                "empty persona", where=f"examples row {place}", expected="a list of memory items", do="drop the row"
            )


def _source(template: str | Path) -> str:
    shipped = TEMPLATES / f"{template}.jinja"
    if shipped.parent == TEMPLATES and "\n" not in str(template) and len(str(template)) < 100 and shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    if isinstance(template, Path) or str(template).endswith(".jinja"):
        try:
            return Path(template).read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError("no such template", where=str(template), expected="a jinja file") from error
    if "{{" not in str(template):
        names = sorted(path.stem for path in TEMPLATES.glob("*.jinja"))
        raise ConfigError(f"template {template!r}", expected=f"one of {names}, a jinja file, or jinja text")
    return str(template)


def _chat(tokenizer: Any, told: list[str], query: str) -> str:
    persona, options = "\n".join(told), {"tokenize": False, "add_generation_prompt": True}
    system = [{"role": "system", "content": persona}] if told else []
    try:
        return tokenizer.apply_chat_template([*system, {"role": "user", "content": query}], **options)
    except TemplateError:  # some templates refuse a system message
        content = "\n\n".join([*([persona] if told else []), query])
        return tokenizer.apply_chat_template([{"role": "user", "content": content}], **options)


def _masked(tokenizer: Any, memories: Sequence[str]) -> list[str]:
    """Every memory item as so many tokens that say nothing."""
    filler = next((t for t in (tokenizer.mask_token, tokenizer.pad_token, tokenizer.unk_token) if t), None)
    if filler is None:
        raise ConfigError("the tokenizer has no mask, pad or unknown token", do="use another intervention")
    sizes = [len(tokenizer(quoted(memory, tokenizer), add_special_tokens=False)["input_ids"]) for memory in memories]
    return [filler * size for size in sizes]


def foreign(rng: np.random.Generator, pool: pd.DataFrame, row: Any, count: int, same_item: bool = False) -> np.ndarray:
    """Places in `pool` of `count` examples by somebody other than `row.user`, without replacement if it can be."""
    able = pool["user"].to_numpy() != row.user
    if same_item:
        able &= (pool["item"] == row.item).to_numpy(dtype=bool, na_value=False)
    places = np.flatnonzero(able)
    if not len(places):
        what = f"text about item {row.item!r}" if same_item else "text"
        raise DataError(f"no {what} by somebody else", where=f"text {row.text!r}", do="give a larger pool")
    return rng.choice(places, count, replace=len(places) < count)
