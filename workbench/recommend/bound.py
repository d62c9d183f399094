"""What every model of the house has beside its memory: settings of its own kind, and the indexes that
it was fitted for.

Codes mean something only beside the indexes they count in. So a model keeps the fingerprint of
those, in its folder too, and refuses the histories and rows of another log.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel

from workbench.errors import ConfigError
from workbench.recommend.saving import load_arrays, save_arrays, saved_bound


class Bound:
    """A model with a `config` and the indexes it is `bound` to.

    bound: `index_fingerprint` of the fitted log; "" before a fit, None where a folder was written
    before models carried it. Such a model is *unbound*, which its repr says; it takes any log of
    its shape.
    """

    Config: type[BaseModel]
    repeats: ClassVar[bool] = False
    """Whether what was had is asked for again, as in baskets."""
    bound: str | None = ""

    def __init__(self, config: BaseModel | None = None, **fields: Any) -> None:
        if fields or not isinstance(config, self.Config | None):
            name, kind = type(self).__name__, self.Config.__name__
            do = f"pass {name}({kind}(…))"
            raise ConfigError(f"{fields or config!r} in place of settings", name, f"a {kind}", do)
        self.config: Any = config or self.Config()

    def _named(self, *said: str) -> str:
        """A repr of these settings."""
        said = (*said, "unbound") if self.bound is None else said
        return f"{type(self).__name__}({', '.join(said)})"

    def _write(self, folder: Path, arrays: dict[str, np.ndarray]) -> None:
        save_arrays(folder, type(self).__name__, self.config, arrays, self.bound)

    @classmethod
    def _read(cls, folder: Path, names: tuple[str, ...]) -> tuple[Self, dict[str, np.ndarray]]:
        """A model without memory, and the arrays to make it of."""
        config, arrays = load_arrays(folder, cls.__name__, cls.Config, names)
        model = cls(config)
        model.bound = saved_bound(folder)
        return model, arrays
