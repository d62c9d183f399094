"""The generated world: a shop, its shoppers, their visits and their words, with everything planted
in `truth`."""

from workbench.data.world.generated import World, generate, load_world, ship_world, write_world
from workbench.data.world.texts import Texts, generate_texts

__all__ = [
    "Texts",
    "World",
    "generate",
    "generate_texts",
    "load_world",
    "ship_world",
    "write_world",
]
