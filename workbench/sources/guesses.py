"""What the columns of somebody's file are, by their names and what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

ROLES = {
    "user": "user userid uid customer customerid reviewerid visitorid shopper member memberid "
    "accountid steamid profileid personid visitor",
    "item": "item itemid iid product productid movieid sku skuid asin parentasin aid "
    "article articleid businessid bookid isbn gameid appid artistid trackid songid venueid poiid "
    "locationid newsid videoid courseid hotelid recipeid business book game artist track song "
    "venue movie film",
    "timestamp": "timestamp time when date datetime unixreviewtime ts eventtime actiontime "
    "createdat timestampms tdat utctimestamp day",
    "action": "action event behavior behaviour eventtype actiontype type",
    "session": "session sessionid usersession",
    "basket": "basket basketid orderid transactionid invoiceid order transaction invoice",
    "value": "value rating score stars overall label",
}
"""Column names that are taken for a role; case, blanks, `_` and a `:type` ending do not count."""
FACTS = {
    "item": f"{ROLES['item']} id",
    "title": "title name productname producttitle itemname movietitle booktitle label designation",
    "topics": "topics genres genre categories tags class category department topic themes theme "
    "keywords subjects productgroup section",
    "price": "price listprice cost unitprice saleprice",
    "brand": "brand store manufacturer publisher",
    "kind": "kind producttype subcategory",
}
"""The same for a table of items."""
NAMES = "pass names=['user', 'item', …] if the file has no header, else rename the columns"
"""What to do about a first line that is none."""
CLOCK = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?"
DATE = r"\d{4}-\d{2}-\d{2}.*"
MOST = 20
"""Kinds of action that a column may name which is only called `type`."""
DEEDS = frozenset(
    re.findall(
        r"\w+",
        "view look click detail cart basket addtocart buy purchase order transaction return refund "
        "favourite favorite fav wishlist like remove removefromcart",
    )
)
"""Actions: a column that holds two of them and little else names what was done."""


def by_names(columns: pd.Index, roles: dict[str, str]) -> dict[str, str]:
    """Of each role the first name that a column has."""
    named = {}
    for column in reversed(columns):
        plain = str(column).split(":")[0].lower()
        named[re.sub(r"[^a-z]", "", plain)] = str(column)
    guess = {}
    for role, names in roles.items():
        column = next((named[name] for name in names.split() if name in named), None)
        if column is not None and column not in guess.values():
            guess[role] = column
    return guess


def guess_roles(
    raw: pd.DataFrame, actions: Iterable[object] = ()
) -> tuple[dict[str, str], list[str]]:
    """The mapping role → column that names and first rows suggest, and why one was not taken;
    actions: names of some, by which the column is found that holds them."""
    guess, said = by_names(raw.columns, ROLES), []
    plain = {str(column).split(":")[0].lower(): str(column) for column in raw}
    # a date and a time of day in two columns
    day, clock = plain.get("date", plain.get("day")), plain.get("time")
    if day and clock and _all_match(raw[clock], CLOCK):
        guess["timestamp"] = f"{day}+{clock}"
    # an order may be a purchase, or a place in a row
    basket = guess.get("basket", "")
    if basket.lower() in ("order", "transaction") and "user" in guess:
        whose = raw[[guess["user"], basket]].dropna()
        if len(whose) and not whose.duplicated().any():
            del guess["basket"]
            what = f"{basket} has no value twice for a user: a position, and not taken for a basket"
            said.append(f"{what}; if it is one, pass mapping={{'basket': '{basket}'}}")
    action = guess.get("action", "")
    if action.lower() == "type" and raw[action].nunique() > MOST:
        del guess["action"]
        said.append(f"{action} has more than {MOST} values: not taken for an action")
    if "action" not in guess and (found := _deeds(raw, guess, set(map(str, actions)))):
        guess["action"] = found
    return guess, said


def _deeds(raw: pd.DataFrame, guess: dict[str, str], actions: set[str]) -> str | None:
    """The one column without a role whose values are these actions, or words for such."""
    found = []
    for place, name in enumerate(map(str, raw.columns)):
        values = set(raw.iloc[:, place].dropna().astype(str).unique()[: MOST + 1])
        plain = {re.sub(r"[^a-z]", "", value.lower()) for value in values}
        known = actions & values if actions else len(plain & DEEDS) > 1
        if known and len(values) <= MOST and name not in guess.values():
            found.append(name)
    return found[0] if len(found) == 1 else None


def both_of(column: str, raw: pd.DataFrame) -> list[str]:
    """The columns that a mapping names: one, or two with a + between."""
    return [column] if column in raw or "+" not in str(column) else column.split("+")


def looks_like_values(raw: pd.DataFrame) -> list[str]:
    """A sentence where the names of the columns look like the first row of a file without a
    header."""
    names = [str(name) for name in raw.columns]
    if raw.index.name != "line" or by_names(raw.columns, ROLES):
        return []
    number = r"-?\d+(\.\d+)?([eE]\d+)?"
    wrong = [name for name in names if re.fullmatch(rf"{number}|{DATE}|{CLOCK}", name)]
    for place, name in enumerate(names):
        if (raw.iloc[:, place] == name).any():
            wrong.append(name)  # the name of a column is one of its values
    return [f"line 1 holds values ({', '.join(wrong[:4])}), not names"] if wrong else []


def _all_match(column: pd.Series | None, pattern: str) -> bool:
    if column is None or not pd.api.types.is_string_dtype(column):
        return False
    told = column.dropna()
    return bool(len(told)) and bool(told.str.fullmatch(pattern).all())
