"""Ta-Feng as on Kaggle: what customers of a grocery bought, day by day.

Layout after their page and the ERASE study's development code (github.com/pierre-lubitzsch/RecBole);
it could not be opened here.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from workbench.data.checks import refuse
from workbench.sources.files import read_columns
from workbench.sources.logs.dataset import Dataset, make_dataset

NAME = "ta_feng_all_months_merged.csv"
COLUMNS = {"TRANSACTION_DT": "day", "CUSTOMER_ID": "user", "PRODUCT_ID": "item"}
COLUMNS |= {"AGE_GROUP": "age_group", "PIN_CODE": "postcode", "PRODUCT_SUBCLASS": "subclass"}


def tafeng_csv(folder: str | Path) -> Dataset:
    """Ta-Feng as on Kaggle: `ta_feng_all_months_merged.csv`. A basket is what a customer bought on
    one day.

    Times are days (month/day/year), so rows of a day keep the order of the file; a basket is named
    by its day,
    20110501. Topics are product subclasses; age group and postcode are those of the customer's
              first row.
    """
    table = read_columns(folder, NAME, COLUMNS)
    day = pd.to_datetime(table["day"], format="%m/%d/%Y", errors="coerce", utc=True)
    what, expected = "{value} in {place} is no day", "month/day/year, as 5/1/2011"
    refuse(table["day"], day.isna(), what, NAME, expected, "repair it")
    basket = day.dt.strftime("%Y%m%d").astype("int64")
    table = table.assign(timestamp=day, basket=basket, action="purchase")
    first = table.drop_duplicates("item")
    items = pd.DataFrame({"item_id": first["item"], "title": "product " + first["item"]})
    items["topics"] = [[name] if isinstance(name, str) else [] for name in first["subclass"]]
    people = table.drop_duplicates("user")[["user", "age_group", "postcode"]]
    return make_dataset(table, items, people.rename(columns={"user": "user_id"}), NAME)
