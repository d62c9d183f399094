"""Ta-Feng as on Kaggle: what customers of a grocery bought, day by day.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.checks import place_of
from workbench.errors import DataError
from workbench.sources.files import read_columns
from workbench.sources.logs.dataset import Dataset, make_dataset


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
