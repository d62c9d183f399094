"""The generated world: a shop, its shoppers, their visits and their words, with everything planted in `truth`."""

from workbench.data.world.generated import World, generate, load_world, write_world

__all__ = ["World", "generate", "load_world", "write_world"]
