"""The generated world: rebuilt bit for bit, true to its truth tables, and readable."""

import hashlib
import itertools
import json
import re
import shutil
import tomllib

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from workbench.data import load_world
from workbench.errors import ConfigError, DataError
from workbench.settings import Settings, settings
from workbench.worlds.shop import generate, generate_texts, generated, ship_world
from workbench.worlds.shop.shop import bank, make_shop

FOLDER = settings().data / "world"
CAUSES = {"interest", "noise", "spam", "correlated", "drift", "repeat"}
SMALL_WORDS = frozenset(
    re.findall(
        r"\w+",
        """a after all an and as at be been before but by do does every for from goes had has have he her his i in
        into is it its keeps lives me my no not of on one or our owns she so than that the their them then there these
        they this to under up us was we were what when where which while who will with works you your""",
    )
)


@pytest.fixture(scope="module")
def world():
    return load_world()


@pytest.fixture(scope="module")
def rows(world):
    """The log with the cause and the category of every row."""
    frame = world.log.frame.merge(world.truth["causes"], on="interaction")
    return frame.merge(world.catalogue.frame[["item", "category"]], on="item").sort_values(
        "position"
    )


def test_rebuild_equals_the_shipped_files(world):
    again = generate(seed=1, size="tiny")
    assert again.fingerprints == world.fingerprints
    assert again.log.fingerprint == world.log.fingerprint
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    assert {
        name: facts["content"] for name, facts in manifest["tables"].items()
    } == again.fingerprints
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3_000_000


def test_another_seed_is_another_world(world):
    other = generate(seed=2)
    assert other.log.fingerprint != world.log.fingerprint
    assert list(other.truth) == list(world.truth)


def test_shipping_rewrites_the_card(world, tmp_path, monkeypatch):
    (tmp_path / "cards").mkdir()
    old = (settings().data / "cards" / "generated-world.toml").read_text(encoding="utf-8")
    card = tmp_path / "cards" / "generated-world.toml"
    card.write_text(
        old.replace("rows = 22867", "rows = 1").replace('sha256 = "', 'sha256 = "f'),
        encoding="utf-8",
    )
    monkeypatch.setattr(generated, "settings", lambda: Settings(data=tmp_path))
    ship_world(world)
    new = tomllib.loads(card.read_text(encoding="utf-8"))
    content = (tmp_path / "world" / "manifest.json").read_bytes()
    assert new == tomllib.loads(old) | {
        "files": [{"name": "manifest.json", "sha256": hashlib.sha256(content).hexdigest()}]
    }
    assert load_world(folder=tmp_path / "world").fingerprints == world.fingerprints


def test_a_damaged_file_is_refused(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "world")
    path = tmp_path / "world" / "log.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"log\.parquet"):
        load_world(folder=tmp_path / "world")
    path.unlink()
    with pytest.raises(DataError, match="missing"):
        load_world(folder=tmp_path / "world")
    with pytest.raises(ConfigError, match="size"):
        generate(size="enormous")
    with pytest.raises(ConfigError, match=r"seed -1.*a seed from 0 on"):
        generate(seed=-1)


def test_titles_are_distinct_and_harmless():
    catalogue, _ = make_shop(np.random.default_rng(0), 3)
    assert catalogue.frame["title"].is_unique
    assert len(catalogue) > 550
    assert not catalogue.frame["title"].str.contains(r"[<>{}\[\]|]").any()
    extra = catalogue.topics.groupby("item").size() - 1
    assert extra.between(1, 3).all()


def test_every_row_has_one_cause(world, rows):
    causes = world.truth["causes"]
    assert np.array_equal(causes["interaction"], np.sort(world.log.frame["interaction"]))
    assert set(causes["cause"]) == CAUSES
    spam = world.truth["users"].set_index("user")["spam"]
    assert ((rows["cause"] == "spam") == rows["user"].map(spam)).all()
    assert (rows.loc[rows["cause"] == "noise", "action"] == "view").all()


def test_funnel_and_baskets(world):
    frame = world.log.frame
    first = frame.groupby(["session", "item", "action"], observed=True)["position"].min().unstack()
    bought = first[first["purchase"].notna()]
    assert (bought["cart"] < bought["purchase"]).all()
    assert (bought["view"] < bought["cart"]).all()
    carted = first[first["cart"].notna()]
    assert (carted["view"] < carted["cart"]).all()
    purchase = frame["action"] == "purchase"
    assert (frame["basket"].notna() == purchase).all()
    assert (frame["value"].notna() == purchase).all()
    assert (frame[purchase].groupby("basket")["session"].nunique() == 1).all()
    assert (frame[purchase].groupby("session")["basket"].nunique() == 1).all()
    assert (frame.groupby("session")["user"].nunique() == 1).all()


def test_spam_is_small_and_pushes_its_targets(world, rows):
    users, targets = world.truth["users"], world.truth["spam_targets"]
    assert 0.01 <= users["spam"].mean() <= 0.02
    bought = rows[(rows["cause"] == "spam") & (rows["action"] == "purchase")]
    assert set(bought["item"]) <= set(targets["item"])


@pytest.mark.parametrize(
    ("category", "flag"),
    [("Horror novels", "holds_horror"), ("Baby & pregnancy", "holds_sensitive")],
)
def test_holders_and_people_to_match_them_with(world, rows, category, flag):
    users = world.truth["users"]
    count = (
        rows[rows["category"] == category]
        .groupby("user")
        .size()
        .reindex(users["user"], fill_value=0)
    )
    holds, activity = (
        users[flag].to_numpy(),
        rows.groupby("user").size().reindex(users["user"]).to_numpy(),
    )
    assert 0.2 <= holds.mean() <= 0.3
    holders, never = (
        holds & (count >= 3).to_numpy(),
        (count == 0).to_numpy() & ~users["spam"].to_numpy(),
    )
    assert holders.sum() >= 60
    low, high = np.quantile(activity[holders], [0.1, 0.9])
    assert ((activity >= low) & (activity <= high) & never).sum() >= 100


def test_truth_about_choice_is_what_the_log_follows(world, rows):
    truth, shape = world.truth, (world.log.n_users, world.log.n_items)
    real = ~truth["users"]["spam"].to_numpy()
    before = truth["choice"]["before"].to_numpy().reshape(shape)
    assert np.allclose(before[real].sum(axis=1), 1, atol=2e-3)
    sums = truth["interests"].groupby(["user", "period"])["weight"].sum()
    assert np.allclose(sums, 1, atol=1e-3)
    seen = rows[(rows["cause"] == "interest") & (rows["action"] == "view")]
    own = np.log(before[seen["user"], seen["item"]] + 1e-6).mean()
    shuffled = np.random.default_rng(0).permutation(np.flatnonzero(real))
    other = np.zeros(len(real), int)
    other[np.flatnonzero(real)] = shuffled
    assert own > np.log(before[other[seen["user"]], seen["item"]] + 1e-6).mean() + 1
    price = truth["items"]["price_z"].to_numpy()[seen["item"]]
    spent = pd.Series(price).groupby(seen["user"].to_numpy()).mean()
    assert spearmanr(truth["users"]["weight_price"][spent.index], spent).statistic < -0.3


def test_correlated_categories_and_drift_show_in_the_log(world, rows):
    users = world.truth["users"]
    for pair, flag in (
        ("Vitamins & supplements", "holds_sensitive"),
        ("Crime novels", "holds_horror"),
    ):
        share = (rows["category"] == pair).groupby(rows["user"]).mean()
        flagged = users.set_index("user")[flag][share.index]
        assert share[flagged].mean() > 1.2 * share[~flagged].mean()
    drifting = rows.merge(users[["user", "drift_day"]], on="user")
    day = (drifting["timestamp"] - pd.Timestamp("2025-03-01", tz="UTC")).dt.days
    moved = drifting["cause"] == "drift"
    assert moved.sum() > 300
    assert (day >= drifting["drift_day"])[moved].all()
    assert (drifting["drift_day"] >= 0)[moved].all()


def test_words_point_at_the_text(world):
    words = world.truth["words"].merge(world.texts[["text", "query", "response"]], on="text")
    assert all(row.response[row.start : row.end] == row.word for row in words.itertuples())
    assert set(words["kind"]) == set("cdsqn")
    ordered = words.sort_values(["text", "start"])
    same = ordered["text"].eq(ordered["text"].shift())
    assert (ordered["start"] >= ordered["end"].shift())[same].all()
    asked = words[words["kind"] == "q"]
    titles = world.texts.merge(world.catalogue.frame[["item", "noun"]], on="item").set_index(
        "text"
    )["noun"]
    assert all(
        row.word.lower() in f"{row.query} {titles[row.text]}".lower() for row in asked.itertuples()
    )
    personal = words[words["kind"].isin(list("cds"))]
    assert (personal["memory"] >= 0).all()
    assert (personal["kind"] == "d").mean() > 0.5
    assert (words.loc[words["kind"].isin(["q", "n"]), "memory"] == -1).all()


def test_texts_read_like_texts(world):
    texts, sentences = world.texts, world.truth["sentences"]
    assert len(texts) == 2500
    types = set(re.findall(r"[a-z']+", " ".join(texts["query"] + " " + texts["response"]).lower()))
    assert len(types) >= 3000
    assert texts["response"].str.split().str.len().between(40, 92).all()
    assert not texts["response"].str.contains(r"[<>{}\[\]|()]|  | [,.!?:]|\ba [aeio]").any()
    spans = sentences.merge(texts[["text", "response"]], on="text")
    spans["said"] = [row.response[row.start : row.end] for row in spans.itertuples()]
    assert not spans.duplicated(["text", "said"]).any()
    assert spans["said"].str[0].str.isupper().all()
    assert texts["response"].is_unique
    bought = world.log.frame.set_index("interaction").loc[texts["interaction"]]
    assert (bought["action"] == "purchase").all()
    assert np.array_equal(bought["user"], texts["user"])
    assert np.array_equal(bought["item"], texts["item"])


def test_memories_are_shown_where_they_are_told(world):
    truth = world.truth
    count = truth["memories"].groupby("user").size()
    assert count.between(5, 9).all()
    told = truth["words"].loc[truth["words"]["memory"] >= 0, ["text", "memory"]].drop_duplicates()
    both = told.merge(truth["text_memories"], on=["text", "memory"], how="left")
    assert both["shown"].eq(True).all()
    owner = truth["memories"].set_index("memory")["user"]
    author = world.texts.set_index("text")["user"]
    assert np.array_equal(owner[both["memory"]], author[both["text"]])
    assert not truth["text_memories"]["shown"].all()


def stems(sentence):
    """Content words cut to five letters, so that 'baking' meets 'bake'."""
    words = re.findall(r"[a-z]+", sentence.lower().replace("{name}", ""))
    return {word[:5] for word in words if word not in SMALL_WORDS and len(word) > 2}


def test_tells_share_no_content_word_with_what_they_tell():
    for attribute, group in bank("people").items():
        for value in group["values"]:
            for tell in value.get("tells", []):
                assert not stems(tell) & stems(value["says"]), (attribute, value["says"], tell)
                assert "[" in tell
            if attribute != "tone":
                assert len(value["tells"]) >= 4
                assert stems(value["copy"]) <= stems(value["says"]), value["copy"]


def test_style_gives_the_tone_away_and_facts_their_owner(world):
    words, memories = world.truth["words"], world.truth["memories"].set_index("memory")
    style = words[words["kind"] == "s"].assign(word=lambda table: table["word"].str.lower())
    style["tone"] = memories["statement"][style["memory"]].to_numpy()
    odd = style["text"] % 2 == 1
    table = style[~odd].groupby(["word", "tone"]).size().unstack(fill_value=0) + 0.5
    scores = np.log(table / table.sum()).reindex(style.loc[odd, "word"]).fillna(0.0)
    guess = scores.groupby(style.loc[odd, "text"].to_numpy()).sum().idxmax(axis=1)
    truth = style[odd].groupby("text")["tone"].first()
    assert (guess == truth).mean() > 0.95
    # the same product, two shoppers: what is personal differs, what is general is shared
    told = words[words["kind"] == "d"].groupby("text")["word"].agg(set)
    marked = words.groupby("text")["word"].agg(set)
    texts = (
        world.texts[world.texts["text"].isin(told.index)]
        .drop_duplicates(["item", "user"])
        .set_index("text")
    )
    plain = {text: set(row.response.split()) - marked[text] for text, row in texts.iterrows()}
    personal, general = [], []
    for _, group in texts.groupby("item"):
        for a, b in itertools.islice(itertools.combinations(group.index, 2), 30):
            personal.append(len(told[a] & told[b]) / len(told[a] | told[b]))
            general.append(len(plain[a] & plain[b]) / len(plain[a] | plain[b]))
    assert np.mean(personal) < 0.6 * np.mean(general)


def test_fresh_shoppers_write_more(world):
    more, again, other = (generate_texts(world, 120, seed=seed) for seed in (7, 7, 8))
    assert more.texts.equals(again.texts)
    assert more.words.equals(again.words)
    assert not more.texts["response"].isin(other.texts["response"]).any()
    assert more.texts["user"].min() >= world.log.n_users
    assert not set(more.memories["memory"]) & set(world.truth["memories"]["memory"])
    assert len(more.texts) == 120
    assert (more.texts["interaction"] == -1).all()


def test_the_card_names_this_manifest(world):
    card = tomllib.loads(
        (settings().data / "cards" / "generated-world.toml").read_text(encoding="utf-8")
    )
    content = (FOLDER / "manifest.json").read_bytes()
    assert card["files"] == [
        {"name": "manifest.json", "sha256": hashlib.sha256(content).hexdigest()}
    ]
    assert (card["rows"], card["users"], card["items"]) == (
        len(world.log),
        world.log.n_users,
        world.log.n_items,
    )
    described = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in described for name in world.tables())
