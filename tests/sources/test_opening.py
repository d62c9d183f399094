"""`open_data`: every form that a card's data has, and words for those it has not."""

import pytest
from layouts import CARTS, MOVIES, SHOPS, write

from workbench.data import open_data
from workbench.errors import ConfigError, DataError
from workbench.sources.cards import find_card


@pytest.mark.filterwarnings("ignore:.*is not the file")
def test_cards_open_splits_and_prepare_what_the_study_keeps(tmp_path):
    rows = "".join(
        f"1,10{item},4,2001-01-0{item}\n2,10{item},{item},2001-01-0{item}\n" for item in range(1, 6)
    )
    files = MOVIES | {
        "rating.csv": "userId,movieId,rating,timestamp\n" + rows + "1,101,4,2001-01-01\n"
    }
    movies = "".join(f"10{item},Film {item},War\n" for item in range(1, 7))
    write(tmp_path / "movielens-20m", files | {"movie.csv.gz": "movieId,title,genres\n" + movies})
    movies = open_data("movielens-20m", tmp_path)
    assert len(movies.log) == 11
    with pytest.raises(DataError, match="no row is left after 'core of 5"):
        _ = movies.prepared
    card = find_card("movielens-20m")
    assert [step["step"] for step in card.prepare] == ["drop_equal", "keep_at_least", "keep_core"]
    with pytest.raises(ConfigError, match="movielens-20m is not published in a split"):
        _ = movies.split
    with pytest.raises(ConfigError, match="movielens-20m holds no texts"):
        _ = movies.texts
    write(tmp_path / "gowalla-lightgcn", {"train.txt": "0 1 2\n", "test.txt": "0 3\n"})
    places = open_data("gowalla-lightgcn", tmp_path)
    assert repr(places.split) == "Split(published: train 2, valid 0, test 1 rows)"
    assert len(places.log) == 3 and places.catalogue.title(0) == "item 1"
    shop = {
        name: text + "".join(f"6/{day}/2011,9,D,901,77,5\n" * 2 for day in range(1, 5))
        for name, text in SHOPS.items()
    }
    bought = open_data("tafeng-kaggle", write(tmp_path / "tafeng-kaggle", shop))
    filtered = bought.prepared
    catalogue = filtered.match(bought.catalogue)
    assert [len(filtered.log), len(catalogue), filtered.log.n_users] == [4, 1, 1]
    assert filtered.dropped["rows"].tolist() == [4, 3, 0] and catalogue.topics_of(0) == ["77"]
    write(tmp_path / "instacart", CARTS)
    with pytest.raises(DataError, match="no row is left after 'users with 4 baskets or more'"):
        _ = open_data("instacart", tmp_path).prepared
