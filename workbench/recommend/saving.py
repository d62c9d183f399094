"""Models on disk: arrays as safetensors, config as JSON, the folder there whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from scipy import sparse

from workbench.errors import ModelError
from workbench.whole import whole_folder


def save_arrays(folder: Path, kind: str, config: BaseModel, arrays: dict[str, np.ndarray]) -> None:
    """Write `model.json` and `arrays.safetensors` into a new folder that takes the place of an old
    one."""
    with whole_folder(Path(folder)) as work:
        save_file(
            {name: np.ascontiguousarray(array) for name, array in arrays.items()},
            work / "arrays.safetensors",
        )
        text = json.dumps(
            {"model": kind, "config": config.model_dump(mode="json")}, indent=1, sort_keys=True
        )
        (work / "model.json").write_text(text, encoding="utf-8")


Config = TypeVar("Config", bound=BaseModel)


def load_arrays(
    folder: Path, kind: str, config: type[Config], names: tuple[str, ...]
) -> tuple[Config, dict[str, np.ndarray]]:
    """Read what `save_arrays` wrote; raises `ModelError` for a missing, damaged or other model."""
    folder = Path(folder)
    try:
        said = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        arrays = load_file(folder / "arrays.safetensors")
        found = said["model"]
        if found == kind and set(names) <= set(arrays):
            return config(**said["config"]), arrays
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            f"cannot be read ({error})", str(folder), f"a saved {kind}", "save the model again"
        ) from error
    raise ModelError(
        f"holds {found} with {', '.join(sorted(arrays))}",
        str(folder),
        f"{kind} with {', '.join(names)}",
    )


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
