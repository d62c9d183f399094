"""The generated shop: what it sells, its shoppers, their visits and their words, with everything
planted in `truth`."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "generated": ["generate"],
        "world": [
            *("SIZES", "ShopConfig", "World", "load_world", "sized"),
        ],
        "shipping": ["ship_world", "write_world"],
        "future": ["next_purchases", "next_visits"],
        "texts": ["generate_texts"],
    },
)
