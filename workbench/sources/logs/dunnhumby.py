"""dunnhumby, The Complete Journey: baskets of households, as its makers publish them.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.sources.columns import purchases_in_order
from workbench.sources.files import read_columns
from workbench.sources.logs.dataset import Dataset, make_dataset


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
    table = purchases_in_order(table, ("DAY", "TRANS_TIME"), name)
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
