"""`python -m workbench.data.world`: rebuild the shipped world in data/world/ and its card."""

import hashlib
import re

from workbench.data.world import generate, write_world
from workbench.settings import settings

if __name__ == "__main__":
    world, folder = generate(), settings().data
    write_world(world, folder / "world")
    card = folder / "cards" / "generated-world.toml"
    facts = {"rows": len(world.log), "users": world.log.n_users, "items": world.log.n_items}
    text = card.read_text(encoding="utf-8")
    for name, number in facts.items():
        text = re.sub(rf"^{name} = \d+$", f"{name} = {number}", text, flags=re.M)
    sha256 = hashlib.sha256((folder / "world" / "manifest.json").read_bytes()).hexdigest()
    text = re.sub(r"sha256 = \"\w*\"", f'sha256 = "{sha256}"', text)
    card.write_text(text, encoding="utf-8", newline="\n")
    print(world)
