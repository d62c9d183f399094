"""Interactions, histories, catalogue, splits and filters; and, by name, where they come from.

What reads files lives in `workbench.sources`, what makes worlds in `workbench.worlds`; their names
stand on this face too, and are imported when somebody asks for one.
"""

from importlib import import_module
from typing import Any

import lazy_loader as lazy

_own, _, _names = lazy.attach(
    __name__,
    submod_attrs={
        "buttons": ["BUTTONS"],
        "interactions": ["FUNNEL", "Interactions"],
        "histories": ["Histories"],
        "catalogue": ["Catalogue"],
        "splits": ["Split", "split"],
        "filters": [
            *("Filtered", "keep_actions", "keep_at_least", "keep_baskets", "keep_core"),
        ],
    },
)
_ELSEWHERE = {
    "workbench.sources": [
        *("Dataset", "Preview", "preview", "read_lists", "read_movielens", "read_recbole", "read"),
        *("read_items", "read_table", "Card", "Opened", "open_data", "stamp_of_data", "latest"),
        *("Keyset", "read_keyset", "Rules", "find_sensitive", "load_rules", "first_request"),
        "keep_enough",
    ],
    "workbench.worlds.shop": ["World", "generate", "generate_texts", "load_world", "write_world"],
}
__all__ = sorted([*_names, *(name for names in _ELSEWHERE.values() for name in names)])


def __getattr__(name: str) -> Any:
    for module, names in _ELSEWHERE.items():
        if name in names:
            return getattr(import_module(module), name)
    return _own(name)


def __dir__() -> list[str]:
    return list(__all__)
