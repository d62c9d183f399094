"""What every model of the house has beside its memory: settings of its own kind, and the indexes that
it was fitted for.

Codes mean something only beside the indexes they count in. So a model keeps the fingerprint of
those, in its folder too, and refuses the histories and rows of another log.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from pydantic import BaseModel, ValidationError

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
        name, kind = type(self).__name__, self.Config.__name__
        if not isinstance(config, self.Config | None) or (config and fields):
            what = f"{fields} beside a config" if fields else f"{config!r} in place of settings"
            do = f"pass {name}({kind}(…)), or settings by name"
            raise ConfigError(what, name, f"a {kind} or its fields", do)
        try:
            self.config: Any = config or self.Config(**fields)
        except ValidationError as error:
            wrong = error.errors()[0]
            where = ".".join([name, *map(str, wrong["loc"])])
            have = f"{wrong['msg']}; its settings: {', '.join(self.Config.model_fields) or 'none'}"
            raise ConfigError(f"{wrong['input']!r} cannot be used", where, have) from error

    def __init_subclass__(cls, **options: Any) -> None:
        """The settings stand in `help(model)`, behind `model?` and in completion, too."""
        super().__init_subclass__(**options)
        if "Config" not in vars(cls):
            return
        told = (cls.__doc__, cls.Config.__doc__)
        cls.__doc__ = "\n\n".join(inspect.cleandoc(text or "") for text in told)
        config = inspect.Parameter("config", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
        named = inspect.signature(cls.Config).parameters.values()
        plain = [one.replace(annotation=inspect.Parameter.empty) for one in named]
        cls.__signature__ = inspect.Signature([config, *plain])

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
