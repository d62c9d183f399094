"""Profile, seed, threads and folders: the few things that every part of the workbench shares.

Everything is read from the environment whenever it is asked for; nothing here imports numpy or
torch.
"""

from __future__ import annotations

import os
import sys
from os.path import expanduser
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from workbench.errors import ConfigError

Profile = Literal["tiny", "laptop", "full"]
PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent


class Frozen(BaseModel):
    """What every config is: never changed once made, no field but its own, each with a line of what
    it says; no value is cast, but that numpy's numbers are numbers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _uncast(cls, value: Any) -> Any:
        return value.item() if getattr(value, "shape", None) == () else value

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        """What stands under each field also stands in `help(config)` and behind `config?`."""
        told = [
            f"{name}: {' '.join((field.description or '').split())}"
            for name, field in cls.model_fields.items()
        ]
        cls.__doc__ = "\n\n".join([(cls.__doc__ or "").rstrip(), *told])


class Settings(Frozen):
    """What a run depends on besides its data and its config."""

    model_config = ConfigDict(strict=False)  # read from variables, which are texts
    profile: Profile = "tiny"
    """Sizes and epochs only, never code paths: tiny (seconds), laptop (minutes), full (real data,
    GPU)."""
    seed: int = Field(default=1, ge=0)
    """The seed that notebooks hand to every function that takes one."""
    device: str = "cpu"
    """Where torch models run."""
    threads: int = Field(default=1, ge=1)
    """Threads torch may use; part of what must be equal for two runs to give the same table."""
    data: Path = ROOT / "data"
    """Shipped data: the generated world, the pocket language model, the cards."""
    own_data: Path | None = None
    """The reader's own copies of real data (WORKBENCH_DATA)."""
    runs: Path = ROOT / "runs"
    """Results of grids, one folder per config hash."""
    cache: Path = Path.home() / ".cache" / "workbench"
    """Downloads that the reader asked for."""


def settings() -> Settings:
    """Read the settings from WORKBENCH_* environment variables.

    Raises `ConfigError` naming the variable when a value cannot be used.
    """
    fields = Settings.model_fields.keys() - {"data"}
    names = {field: f"WORKBENCH_{field.upper()}" for field in fields}
    names["own_data"] = "WORKBENCH_DATA"
    given = {field: os.environ.get(name) for field, name in names.items()}
    try:
        return Settings(**{field: expanduser(value) for field, value in given.items() if value})
    except ValidationError as error:
        wrong = error.errors()[0]
        field = str(wrong["loc"][0])
        what, do = f"{given[field]!r} cannot be used", "correct or unset the variable"
        raise ConfigError(what, names[field], wrong["msg"], do) from error


def physical_memory() -> int:
    """Bytes of memory in this machine (Linux, macOS, Windows); 4 GiB where the system does not
    tell."""
    try:
        if sys.platform == "win32":
            import ctypes

            # MEMORYSTATUSEX: two 32-bit fields (its own length first), then seven 64-bit ones, of
            # which the first is it
            fields = (ctypes.c_uint64 * 8)(64)
            return (
                int(fields[1]) if ctypes.windll.kernel32.GlobalMemoryStatusEx(fields) else 4 << 30
            )
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 4 << 30
