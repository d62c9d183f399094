"""Models on disk: arrays as safetensors, config as JSON, the folder there whole or not at all."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy import sparse

from workbench.errors import ModelError
from workbench.whole import whole_folder

if TYPE_CHECKING:
    from torch import nn


def save_arrays(
    folder: Path,
    kind: str,
    config: BaseModel,
    arrays: dict[str, np.ndarray],
    bound: str | None = None,
    parts: dict[str, Any] | None = None,
) -> None:
    """Write `model.json` and `arrays.safetensors` into a new folder that takes the place of an
    older model's; a folder that holds anything else is refused.

    bound: `index_fingerprint` of the log the model was fitted for; `saved_bound` reads it back.
    parts: models within the model, each written into a folder of its name; `load_model` reads them.
    """
    facts = {"model": kind, "config": config.model_dump(mode="json")}
    if bound is not None:
        facts["indexes"] = bound
    with whole_folder(Path(folder), _is_model) as work:
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            work / "arrays.safetensors",
        )
        text = json.dumps(facts, indent=1, sort_keys=True)
        (work / "model.json").write_text(text, encoding="utf-8")
        for name, part in (parts or {}).items():
            part.save(work / name)


def load_model(folder: Path, *others: type[Any]) -> Any:
    """A saved recommender, of whatever kind of `workbench.recommend` or of these others.

    Raises `ModelError` where there is none, or one of no known kind.
    """
    from workbench import recommend

    do = "run what wrote it again"
    try:
        name = _facts(folder)["model"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise ModelError(f"no model ({error})", str(folder), "a saved model", do) from error
    known = {kind.__name__: kind for kind in others}
    kind = known.get(name) or (getattr(recommend, name) if name in recommend.__all__ else None)
    if not hasattr(kind, "load"):
        raise ModelError(f"a model of the kind {name!r}", str(folder), "one that is known", do)
    return kind.load(folder)


def _is_model(folder: Path) -> bool:
    """Whether `save_arrays` wrote the folder."""
    try:
        return {"model", "config"} <= set(_facts(folder))
    except (OSError, ValueError, TypeError, RecursionError):
        return False


Config = TypeVar("Config", bound=BaseModel)


def load_arrays(
    folder: Path, kind: str, config: type[Config], names: tuple[str, ...]
) -> tuple[Config, dict[str, np.ndarray]]:
    """Read what `save_arrays` wrote; raises `ModelError` for a missing, damaged or other model."""
    try:
        said = _facts(folder)
        arrays = load_file(Path(folder, "arrays.safetensors"))
        found = said["model"]
        if found == kind and set(names) <= set(arrays):
            return config(**said["config"]), arrays
    # a file of brackets within brackets is no model either
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        SafetensorError,
    ) as error:
        raise ModelError(
            f"cannot be read ({error})", str(folder), f"a saved {kind}", "save the model again"
        ) from error
    raise ModelError(
        f"holds {found} with {', '.join(sorted(arrays))}",
        str(folder),
        f"{kind} with {', '.join(names)}",
    )


def weights(module: nn.Module) -> dict[str, np.ndarray]:
    """The weights of a module as a saved model holds them."""
    state = module.state_dict().items()
    return {f"module.{name}": value.detach().cpu().numpy() for name, value in state}


def fill(module: nn.Module, arrays: dict[str, np.ndarray], folder: Path) -> nn.Module:
    """The inverse of `weights`; raises `ModelError` for those of another model or shape."""
    import torch

    named = {name.removeprefix("module."): arrays[name] for name in arrays if "module." in name}
    want = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    have = {name: value.shape for name, value in named.items()}
    wrong = sorted(name for name, _ in want.items() ^ have.items())
    if wrong:
        found, own = (shapes.get(wrong[0], "absent") for shapes in (have, want))
        what = f"weight {wrong[0]} is {found}, the model's is {own}"
        do = "load it with the config it was saved with"
        raise ModelError(what, str(folder), "weights of the model's shapes", do)
    module.load_state_dict({name: torch.tensor(value) for name, value in named.items()})
    return module.eval()


def saved_bound(folder: Path) -> str | None:
    """The fingerprint of the indexes that a saved model was fitted for; None in a folder that was
    written before models carried it.

    folder: one that `load_arrays` has read. Raises `ModelError` for what is no fingerprint.
    """
    bound = _facts(folder).get("indexes")
    if bound is None or (isinstance(bound, str) and re.fullmatch("[0-9a-f]{64}", bound)):
        return bound
    what, want = f"{bound!r} is no fingerprint of indexes", "64 hexadecimal digits under indexes"
    raise ModelError(what, str(Path(folder, "model.json")), want, "save the model again")


def _facts(folder: Path) -> dict[str, Any]:
    return json.loads(Path(folder, "model.json").read_text(encoding="utf-8"))


def csr_parts(matrix: sparse.csr_array, name: str) -> dict[str, np.ndarray]:
    """A sparse matrix as plain arrays."""
    parts = {
        "data": matrix.data,
        "indices": matrix.indices,
        "indptr": matrix.indptr,
        "shape": np.array(matrix.shape),
    }
    return {f"{name}.{part}": array for part, array in parts.items()}


def csr_from(arrays: dict[str, np.ndarray], name: str) -> sparse.csr_array:
    """The inverse of `csr_parts`; raises `ModelError` for parts that are no matrix."""
    try:
        parts = tuple(arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        matrix = sparse.csr_array(parts, shape=tuple(int(n) for n in arrays[f"{name}.shape"]))
        matrix.check_format(full_check=True)
    except (KeyError, ValueError) as error:
        raise ModelError(
            f"{name} is no sparse matrix ({error})", "arrays.safetensors", do="save again"
        ) from error
    return matrix
