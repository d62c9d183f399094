"""Baskets: Instacart, dunnhumby's Complete Journey and Ta-Feng, as their makers publish them.

Rows become interactions as they stand: see `ratings`. Layouts after the makers' pages and the ERASE
study's development code (github.com/pierre-lubitzsch/RecBole); of these only Instacart's
`products.csv` could be opened here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from workbench.data.checks import as_integers, place_of
from workbench.errors import DataError
from workbench.sources.files import look_up, read_columns
from workbench.sources.readers import Dataset, make_dataset


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
    table = _in_order(table, ("user", "basket", "add_to_cart_order"), "order_products__*.csv")
    aisles = read_columns(folder, "aisles.csv", ["aisle_id", "aisle"])
    items = read_columns(
        folder, "products.csv", ["product_id", "product_name", "aisle_id", "department_id"]
    )
    names = look_up(items["aisle_id"], aisles, "aisle_id", "products.csv", "aisles.csv")["aisle"]
    items = items.rename(columns={"product_id": "item_id", "product_name": "title"})
    items["aisle"] = [[name] for name in names]
    roles = {"user": "user", "item": "product_id", "basket": "basket", "action": "action"}
    return make_dataset(table, roles, items, topics="aisle", where="order_products__*.csv")


def dunnhumby(folder: str | Path) -> Dataset:
    """dunnhumby, The Complete Journey: `transaction_data.csv` and `product.csv`.

    Rows stand by DAY, then TRANS_TIME. (The study's development code goes by the time of day alone,
    which shuffles the baskets of a household.) Days are counted from the start of the records, so
    there are no dates. Products have no names: a title is the sub-commodity and the size.
    """
    name = "transaction_data.csv"
    table = read_columns(
        folder, name, ["household_key", "BASKET_ID", "DAY", "PRODUCT_ID", "TRANS_TIME"]
    )
    table = _in_order(table, ("DAY", "TRANS_TIME"), name)
    texts = ["DEPARTMENT", "BRAND", "COMMODITY_DESC", "SUB_COMMODITY_DESC", "CURR_SIZE_OF_PRODUCT"]
    items = read_columns(folder, "product.csv", ["PRODUCT_ID", *texts])
    items[texts] = items[texts].fillna("").apply(lambda column: column.str.strip())
    title = (items["SUB_COMMODITY_DESC"] + " " + items["CURR_SIZE_OF_PRODUCT"]).str.strip()
    topics = [
        [t for t in both if t]
        for both in zip(items["DEPARTMENT"], items["COMMODITY_DESC"], strict=True)
    ]
    facts = {
        "item_id": items["PRODUCT_ID"],
        "title": title,
        "brand": items["BRAND"],
        "topics": topics,
    }
    roles = {
        "user": "household_key",
        "item": "PRODUCT_ID",
        "basket": "BASKET_ID",
        "action": "action",
    }
    return make_dataset(table, roles, pd.DataFrame(facts), topics="topics", where=name)


def tafeng_csv(folder: str | Path) -> Dataset:
    """Ta-Feng as on Kaggle: `ta_feng_all_months_merged.csv`. A basket is what a customer bought on
    one day.

    Times are days (month/day/year), so rows of a day keep the order of the file; a basket is named
    by its day,
    20110501. Topics are product subclasses; age group and postcode are those of the customer's
              first row.
    """
    name = "ta_feng_all_months_merged.csv"
    columns = [
        "TRANSACTION_DT",
        "CUSTOMER_ID",
        "AGE_GROUP",
        "PIN_CODE",
        "PRODUCT_SUBCLASS",
        "PRODUCT_ID",
    ]
    table = read_columns(folder, name, columns)
    day = pd.to_datetime(table["TRANSACTION_DT"], format="%m/%d/%Y", errors="coerce", utc=True)
    if day.isna().any():
        value = table["TRANSACTION_DT"][day.isna()].iloc[0]
        raise DataError(
            f"{value!r} in {place_of(table, day.isna())} is no day",
            name,
            "month/day/year, as 5/1/2011",
            "repair it",
        )
    table = table.assign(
        day=day, basket=day.dt.strftime("%Y%m%d").astype("int64"), action="purchase"
    )
    first = table.drop_duplicates("PRODUCT_ID")
    subclass = [[value] if isinstance(value, str) else [] for value in first["PRODUCT_SUBCLASS"]]
    items = pd.DataFrame(
        {
            "item_id": first["PRODUCT_ID"],
            "title": "product " + first["PRODUCT_ID"],
            "subclass": subclass,
        }
    )
    people = table.drop_duplicates("CUSTOMER_ID")[["CUSTOMER_ID", "AGE_GROUP", "PIN_CODE"]]
    people.columns = ["user_id", "age_group", "postcode"]
    roles = {
        "user": "CUSTOMER_ID",
        "item": "PRODUCT_ID",
        "timestamp": "day",
        "basket": "basket",
        "action": "action",
    }
    return make_dataset(table, roles, items, people, topics="subclass", where=name)


def _in_order(table: pd.DataFrame, columns: tuple[str, ...], where: str) -> pd.DataFrame:
    """Purchases sorted by these columns of whole numbers, the first one first; ties as in the
    file."""
    keys = [
        as_integers(table[column], len(table), column, where).astype("int64")
        for column in reversed(columns)
    ]
    return table.iloc[np.lexsort(keys)].assign(action="purchase")
