"""`python -m workbench.data.world`: rebuild the shipped world in data/world/."""

from workbench.data.world import generate, write_world
from workbench.settings import settings

if __name__ == "__main__":
    world = generate()
    write_world(world, settings().data / "world")
    print(world)
