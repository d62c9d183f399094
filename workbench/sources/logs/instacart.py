"""Instacart 2017: orders and products, as their makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
of its files only `products.csv` could be opened here.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.checks import as_integers, place_of
from workbench.errors import DataError
from workbench.sources.columns import look_up, purchases_in_order
from workbench.sources.files import read_columns
from workbench.sources.logs.dataset import Dataset, make_dataset


def instacart(folder: str | Path) -> Dataset:
    """Instacart 2017: `orders.csv`, `order_products__prior.csv`, `order_products__train.csv`,
    products and aisles.

    A basket is an order, named by its number; rows stand by user, order and place in the cart.
    There are no dates. Orders of the contest's test part have no products and no rows.
    """
    orders = read_columns(folder, "orders.csv", ["order_id", "user_id", "order_number"])
    for column in ("user_id", "order_number"):
        orders[column] = as_integers(orders[column], len(orders), column, "orders.csv").astype(
            "int64"
        )
    parts = []
    for part in ("prior", "train"):
        name = f"order_products__{part}.csv"
        lines = read_columns(folder, name, ["order_id", "product_id", "add_to_cart_order"])
        order = look_up(lines["order_id"], orders, "order_id", name, "orders.csv")
        place = as_integers(
            lines["add_to_cart_order"], len(lines), "add_to_cart_order", name
        ).astype("int64")
        absent = lines["product_id"].isna()
        if absent.any():  # said here, where a line is still one of this file
            what, do = f"no product_id in {place_of(lines, absent)}", "repair or remove this line"
            raise DataError(what, name, "a product in every line", do)
        parts.append(
            lines.assign(
                user=order["user_id"], basket=order["order_number"], add_to_cart_order=place
            )
        )
    table = pd.concat(parts).rename_axis(index="line")
    table = purchases_in_order(
        table, ("user", "basket", "add_to_cart_order"), "order_products__*.csv"
    )
    aisles = read_columns(folder, "aisles.csv", ["aisle_id", "aisle"])
    items = read_columns(
        folder, "products.csv", ["product_id", "product_name", "aisle_id", "department_id"]
    )
    names = look_up(items["aisle_id"], aisles, "aisle_id", "products.csv", "aisles.csv")["aisle"]
    items = items.rename(columns={"product_id": "item_id", "product_name": "title"})
    items["aisle"] = [[name] for name in names]
    roles = {"user": "user", "item": "product_id", "basket": "basket", "action": "action"}
    return make_dataset(table, roles, items, topics="aisle", where="order_products__*.csv")
