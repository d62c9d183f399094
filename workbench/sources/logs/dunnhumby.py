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

COLUMNS = {"household_key": "user", "BASKET_ID": "basket", "PRODUCT_ID": "item"}
COLUMNS |= {name: name for name in ("DAY", "TRANS_TIME")}
TEXTS = ["DEPARTMENT", "BRAND", "COMMODITY_DESC", "SUB_COMMODITY_DESC", "CURR_SIZE_OF_PRODUCT"]


def dunnhumby(folder: str | Path) -> Dataset:
    """dunnhumby, The Complete Journey: `transaction_data.csv` and `product.csv`.

    Rows stand by DAY, then TRANS_TIME. (The study's development code goes by the time of day alone,
    which shuffles the baskets of a household.) Days are counted from the start of the records, so
    there are no dates. Products have no names: a title is the sub-commodity and the size.
    """
    name = "transaction_data.csv"
    table = read_columns(folder, name, COLUMNS)
    table = purchases_in_order(table, ("DAY", "TRANS_TIME"), name)
    items = read_columns(folder, "product.csv", ["PRODUCT_ID", *TEXTS])
    texts = items[TEXTS].fillna("").apply(lambda column: column.str.strip())
    title = texts["SUB_COMMODITY_DESC"] + " " + texts["CURR_SIZE_OF_PRODUCT"]
    both = texts[["DEPARTMENT", "COMMODITY_DESC"]].to_numpy().tolist()
    facts = {"item_id": items["PRODUCT_ID"], "title": title.str.strip(), "brand": texts["BRAND"]}
    facts["topics"] = [[topic for topic in pair if topic] for pair in both]
    return make_dataset(table, pd.DataFrame(facts), where=name)
