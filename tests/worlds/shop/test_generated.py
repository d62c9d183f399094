"""The generated world: rebuilt bit for bit, whole on disk, of any size."""

import hashlib
import json
import re
import shutil
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from workbench.data import load_world
from workbench.errors import ConfigError, DataError
from workbench.settings import Settings, settings
from workbench.worlds.corpus import bank
from workbench.worlds.shop import (
    SIZES,
    ShopConfig,
    generate,
    ship_world,
    shipping,
    sized,
    write_world,
)
from workbench.worlds.shop.shop import make_shop

FOLDER = settings().data / "world"


@pytest.fixture(scope="module")
def world():
    return load_world()


def test_rebuild_equals_the_shipped_files(world):
    again = generate()
    assert again.fingerprints == world.fingerprints
    assert again.log.fingerprint == world.log.fingerprint
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    contents = {name: facts["content"] for name, facts in manifest["tables"].items()}
    assert contents == again.fingerprints
    assert manifest["config"] == ShopConfig().model_dump()
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 2_500_000


def test_nothing_lies_beside_the_tables(world):
    shipped = {path.name for path in FOLDER.glob("*.parquet")}
    assert shipped == {f"{name}.parquet" for name in world.tables()}


def test_another_seed_is_another_world(world):
    one, again, other = (generate(ShopConfig(shoppers=60, texts=50, seed=s)) for s in (2, 2, 3))
    assert one.fingerprints == again.fingerprints
    assert other.log.fingerprint != one.log.fingerprint
    assert list(other.truth) == list(world.truth)


def test_sizes_are_configs(world):
    assert world.size == "tiny"
    assert world.log.n_users == SIZES["tiny"].shoppers
    assert SIZES["laptop"].shoppers == 4000
    assert sized("laptop", seed=3).seed == 3
    with_texts, without = (generate(ShopConfig(shoppers=50, texts=n)) for n in (40, 0))
    assert len(with_texts.texts) == 40
    assert without.texts.empty
    assert without.log.fingerprint == with_texts.log.fingerprint
    assert without.size == "50 shoppers"
    for wrong in ({"shoppers": 12_001}, {"shoppers": 3}, {"texts": -1}, {"seed": -1}):
        with pytest.raises(ValidationError):
            ShopConfig(**wrong)


def test_the_shop_is_the_same_at_every_size(world):
    small = generate(ShopConfig(shoppers=50, texts=0))
    assert small.catalogue.frame.equals(world.catalogue.frame)
    for name in ("items", "kinds", "item_attributes"):
        assert small.truth[name].equals(world.truth[name])


def test_shipping_rewrites_the_card(world, tmp_path, monkeypatch):
    (tmp_path / "cards").mkdir()
    old = (settings().data / "cards" / "generated-world.toml").read_text(encoding="utf-8")
    card = tmp_path / "cards" / "generated-world.toml"
    wrong = old.replace(f"rows = {len(world.log)}", "rows = 1").replace('sha256 = "', 'sha256 = "f')
    card.write_text(wrong, encoding="utf-8")
    monkeypatch.setattr(shipping, "settings", lambda: Settings(data=tmp_path))
    ship_world(world)
    new = tomllib.loads(card.read_text(encoding="utf-8"))
    content = (tmp_path / "world" / "manifest.json").read_bytes()
    files = [{"name": "manifest.json", "sha256": hashlib.sha256(content).hexdigest()}]
    assert new == tomllib.loads(old) | {"files": files}
    assert load_world(folder=tmp_path / "world").fingerprints == world.fingerprints


def test_a_world_is_written_over_an_older_one_and_nothing_else(world, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "mine.parquet").write_bytes(b"mine")
    smaller = replace(world, truth={name: world.truth[name] for name in ("items", "kinds")})
    write_world(world, tmp_path)
    write_world(smaller, tmp_path)
    names = {f"{name}.parquet" for name in smaller.tables()}
    assert {path.name for path in tmp_path.iterdir()} == names | {
        *("README.md", "mine.parquet", "manifest.json")
    }
    assert load_world(folder=tmp_path).fingerprints == smaller.fingerprints


@pytest.mark.parametrize("name", ["log.parquet", "manifest.json"])
def test_a_file_that_no_world_names_stays(world, tmp_path, name):
    (tmp_path / name).write_text('{"name": "mine"}')
    with pytest.raises(DataError, match=f"{name}: .*not written here"):
        write_world(world, tmp_path)
    assert (tmp_path / name).read_text() == '{"name": "mine"}'
    assert [path.name for path in tmp_path.iterdir()] == [name]


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
        load_world("enormous")
    with pytest.raises(ConfigError, match=r"seed -1.*a seed from 0 on"):
        sized(seed=-1)


def test_titles_are_distinct_and_harmless(world):
    frame = world.catalogue.frame
    assert frame["title"].is_unique
    assert not frame["title"].str.contains(r"[<>{}\[\]|]").any()
    extra = world.catalogue.topics.groupby("item").size() - 1
    assert extra.between(1, 3).all()


@pytest.mark.parametrize("seed", range(8))
def test_kinds_hold_substitutes_that_differ(seed):
    shop = make_shop(np.random.default_rng(seed))
    frame = shop.catalogue.frame
    kinds = frame.groupby("kind")
    assert (kinds.size() >= 4).all()
    assert len(kinds) == 60
    assert (kinds["category"].nunique() == 1).all()
    for name in ("price", "rating", "brand"):
        assert (kinds[name].nunique() == kinds.size()).all()
    assert (frame["price"] > kinds["price"].transform("min")).mean() >= 0.7
    assert (frame["rating"] < kinds["rating"].transform("max")).mean() >= 0.7
    assert frame["rating"].between(1, 5).all()
    # price and rating go together, and not always
    pairs = frame.merge(frame, on="kind").query("rating_x < rating_y")
    assert 0.5 < (pairs["price_y"] > pairs["price_x"]).mean() < 0.85


def test_every_product_has_the_two_attributes_of_its_kind(world):
    truth, frame = world.truth, world.catalogue.frame
    kinds = truth["kinds"].set_index("kind")
    table = truth["item_attributes"].merge(frame[["item", "kind", "title", "details"]], on="item")
    for where, column in (("page", "shown"), ("reviews", "told")):
        part = table[table["where"] == where]
        assert np.array_equal(part["attribute"], kinds.loc[part["kind"], column])
        assert np.array_equal(part["item"], frame["item"])
        assert (part.groupby("kind")["level"].apply(lambda x: len(set(x))) == 4).all()
    assert table["level"].between(-1, 1).all()
    shown = table[table["where"] == "page"]
    assert all(f"{r.attribute}: {r.value}" == r.details for r in shown.itertuples())
    books = {c["name"] for c in bank("shop")["category"] if c.get("book")}
    shown = shown[~shown["item"].map(frame["category"]).isin(books)]
    assert all(r.value in r.title for r in shown.itertuples())
    assert set(table["attribute"]) == set(truth["attributes"]["attribute"])


def test_the_card_names_this_manifest(world):
    card = tomllib.loads(
        (settings().data / "cards" / "generated-world.toml").read_text(encoding="utf-8")
    )
    content = (FOLDER / "manifest.json").read_bytes()
    assert card["files"] == [
        {"name": "manifest.json", "sha256": hashlib.sha256(content).hexdigest()}
    ]
    counted = (len(world.log), world.log.n_users, world.log.n_items)
    assert (card["rows"], card["users"], card["items"]) == counted


def test_the_data_card_describes_every_column(world):
    described = (FOLDER / "README.md").read_text(encoding="utf-8")
    lines = {line.split("`")[1]: line for line in described.splitlines() if line.startswith("| `")}
    for name, table in world.tables().items():
        said = re.findall(r"\w+", lines[name].split("|", 2)[2])
        missing = [c for c in table.columns if c not in said and not c.startswith("weight_")]
        assert not missing, (name, missing)
    assert f"{len(world.log):,}" in described
