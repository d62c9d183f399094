"""Instacart 2017: orders and products, as their makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
of its files only `products.csv` could be opened here.
"""

from __future__ import annotations

from pathlib import Path

from workbench.data.checks import refuse
from workbench.sources.columns import look_up, purchases_in_order, whole_numbers
from workbench.sources.files import read_columns
from workbench.sources.logs._divided import together
from workbench.sources.logs.dataset import Dataset, make_dataset

EVERY = "order_products__*.csv"


def instacart(folder: str | Path) -> Dataset:
    """Instacart 2017: `orders.csv`, `order_products__prior.csv`, `order_products__train.csv`,
    products and aisles.

    A basket is an order, named by its number; rows stand by user, order and place in the cart.
    There are no dates. Orders of the contest's test part have no products and no rows.
    """
    orders = read_columns(folder, "orders.csv", ["order_id", "user_id", "order_number"])
    for column in ("user_id", "order_number"):
        orders[column] = whole_numbers(orders, column, "orders.csv")
    parts = []
    for part in ("prior", "train"):
        name = EVERY.replace("*", part)
        columns = {"order_id": "order_id", "product_id": "item", "add_to_cart_order": "place"}
        table = read_columns(folder, name, columns)
        # said here, where a line is still one of this file
        what, expected = "no product_id in {place}", "a product in every line"
        absent = table["item"].isna()
        refuse(table["item"], absent, what, name, expected, "repair or remove this line")
        table["place"] = whole_numbers(table, "place", name)
        order = look_up(table["order_id"], orders, "order_id", name, "orders.csv")
        parts.append(table.assign(user=order["user_id"], basket=order["order_number"]))
    table = purchases_in_order(together(parts), ("user", "basket", "place"), EVERY)
    # the products, and the aisles that they stand in
    columns = {"product_id": "item_id", "product_name": "title"}
    columns |= {name: name for name in ("aisle_id", "department_id")}
    items = read_columns(folder, "products.csv", columns)
    aisles = read_columns(folder, "aisles.csv", ["aisle_id", "aisle"])
    names = look_up(items["aisle_id"], aisles, "aisle_id", "products.csv", "aisles.csv")["aisle"]
    items["topics"] = [[name] for name in names]
    return make_dataset(table, items, where=EVERY)
