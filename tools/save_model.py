"""A shipped model on disk, with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import DataError
from workbench.whole import whole_folder

CARD = "TRAINING_CARD.md"


def save_model(folder: Path, model: Any, tokenizer: Any, card: str) -> None:
    """Write config, tokenizer, safetensors (16-bit) and `TRAINING_CARD.md` to `folder`, all or
    nothing, in place of nothing but an older model with its card."""
    if not card.strip():
        raise DataError(
            "empty training card", where=str(folder), do="say what the model was trained on"
        )
    with whole_folder(folder, lambda old: (old / CARD).is_file()) as new:
        model.half().save_pretrained(new)
        model.float()
        tokenizer.save_pretrained(new)
        (new / CARD).write_text(card, encoding="utf-8")
