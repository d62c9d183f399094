"""The generated world: a shop, its shoppers, their visits and their words, with everything planted
in `truth`."""

from workbench.worlds.shop.generated import World, generate, load_world, ship_world, write_world
from workbench.worlds.shop.texts import Texts, generate_texts

__all__ = [
    "Texts",
    "World",
    "generate",
    "generate_texts",
    "load_world",
    "ship_world",
    "write_world",
]
