"""The texts of the generated world: readable, marked to the word, true of product and shopper."""

import itertools
import re

import numpy as np
import pytest

from workbench.data import load_world
from workbench.worlds.shop import generate_texts
from workbench.worlds.shop.shop import bank

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


def test_words_point_at_the_text(world):
    words = world.truth["words"].merge(world.texts[["text", "query", "response"]], on="text")
    assert all(row.response[row.start : row.end] == row.word for row in words.itertuples())
    assert set(words["kind"]) == set("cdsqn")
    ordered = words.sort_values(["text", "start"])
    same = ordered["text"].eq(ordered["text"].shift())
    assert (ordered["start"] >= ordered["end"].shift())[same].all()
    asked = words[words["kind"] == "q"]
    titles = world.texts.merge(
        world.catalogue.frame[["item", "kind"]], on="item", suffixes=("", "_of")
    ).set_index("text")["kind_of"]
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


def sayings(attribute, side, verdict, value):
    """What the bank says of an attribute, as patterns without their first letter."""
    found = []
    for text in bank("attributes")[attribute][f"{side}_{verdict}"]:
        pattern = re.escape(text.replace("{value}", value)[1:])
        found.append(pattern.replace(re.escape("{very}"), r"\w+"))
    return found


def test_texts_name_true_attributes_only(world):
    """Each such sentence stands in the bank for the side on which the product really is."""
    truth = world.truth
    said = truth["text_attributes"].merge(world.texts[["text", "item", "response"]], on="text")
    known = said.merge(truth["item_attributes"], on=["item", "attribute"], how="left")
    assert known["level"].notna().all(), "an attribute that the product does not have"
    for row in known.itertuples():
        sentence = row.response[row.start : row.end]
        side, verdict = "high" if row.level > 0 else "low", "praise" if row.praise else "complaint"
        mine = sayings(row.attribute, side, verdict, row.value)
        assert any(re.search(f"{pattern}$", sentence) for pattern in mine), sentence
    roles = truth["sentences"].query("role == 'attribute'")[["text", "start", "end"]]
    assert np.array_equal(roles.to_numpy(), said[["text", "start", "end"]].to_numpy())
    assert set(known["text"]) == set(world.texts["text"])
    assert known.groupby("text").size().isin([1, 2]).all()


def test_other_sides_say_nothing_of_an_attribute(world):
    """What is said beside must not contradict: sides of the same notion are left out by kind."""
    names = set(bank("attributes"))
    clash = {name: set(sides["clash"]) | {name} for name, sides in bank("attributes").items()}
    kinds = world.truth["kinds"].set_index("kind")
    queries = world.texts.merge(
        world.catalogue.frame[["item", "kind"]], on="item", suffixes=("", "_of")
    )
    aspects = world.truth["sentences"].query("role == 'aspect'")
    books = bank("products")
    for row in queries[queries["text"].isin(aspects["text"])].itertuples():
        kind = kinds.loc[row.kind_of]
        banned = clash[kind["shown"]] | clash[kind["told"]]
        sides = {**books[kind["category"]]["any"], **books[kind["category"]].get(row.kind_of, {})}
        spans = aspects[aspects["text"] == row.text]
        for start, end in zip(spans["start"], spans["end"], strict=True):
            tail = row.response[start:end][-12:]
            found = {n for n, s in sides.items() if any(saying.endswith(tail) for saying in s)}
            assert not found or found - banned, row.response[start:end]
    assert not names - set(kinds["shown"]) - set(kinds["told"])


def test_praise_depends_on_the_writer_and_on_quality(world):
    truth = world.truth
    said = truth["text_attributes"].merge(world.texts[["text", "user", "item"]], on="text")
    said = said.merge(truth["item_attributes"], on=["item", "attribute"])
    said = said.merge(truth["attribute_weights"], on=["user", "attribute"])
    likes = said["weight"] * said["level"]
    clear = likes.abs() > 0.3
    assert ((likes > 0) == said["praise"])[clear].mean() > 0.8
    ends = truth["sentences"].query("role == 'closing'").merge(world.texts, on="text")
    frames = bank("frames")
    bad = [*frames["regrets"], *(s for tone in frames["tone"].values() for s in tone["regrets"])]
    bad = [re.sub(r"[\[\]]", "", text).split("<")[0][:18] for text in bad]
    sad = [row.response[row.start : row.end].startswith(tuple(bad)) for row in ends.itertuples()]
    quality = truth["items"]["quality"].to_numpy()[ends["item"]]
    assert 0.05 < np.mean(sad) < 0.6
    assert quality[np.array(sad)].mean() < quality[~np.array(sad)].mean() - 0.2


def test_the_same_shopper_speaks_of_what_was_bought(world):
    """Prices are called dear or cheap only where the product is the dearest or cheapest of a
    kind."""
    frame = world.catalogue.frame
    price = frame.groupby("kind")["price"]
    at_end = {
        "dear": frame["price"] == price.transform("max"),
        "cheap": frame["price"] == price.transform("min"),
    }
    sentences = world.truth["sentences"].merge(world.texts[["text", "item"]], on="text")
    for role, true in at_end.items():
        part = sentences[sentences["role"] == role]
        assert len(part) > 30
        assert true.to_numpy()[part["item"]].all()
