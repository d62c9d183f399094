"""No recommender learns from a press of a button: fitted on a log with presses it is the one fitted
without, bit for bit, also after it has forgotten rows of both."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.data.test_buttons import LOG, PRESSED, scattered
from tests.recommend.logs import Counts
from tests.recommend.test_laws import OTHERS, SUMS, TINY
from workbench import recommend
from workbench.data import BUTTONS, split
from workbench.recommend.laws import small_log
from workbench.recommend.laws.weights import first_difference, state
from workbench.recommend.protocol import fitted_copy


def made(name):
    model = (SUMS | OTHERS)[name]
    return model() if isinstance(model, type) or callable(model) else model.copy()


def memory(model, folder):
    """All that a saved model holds, array by array."""
    model.save(folder)
    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def equal(one, two):
    return one.keys() == two.keys() and all(np.array_equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("log", [PRESSED, scattered()], ids=["at the end", "scattered"])
@pytest.mark.parametrize("name", [*SUMS, *OTHERS])
def test_counted_models_count_no_press(name, log, tmp_path):
    presses = log.frame.loc[log.frame["action"].isin(BUTTONS), "interaction"].to_numpy()
    rest = log.without(presses)
    one, two = made(name).fit(log), made(name).fit(rest)
    assert equal(memory(one, tmp_path / "1"), memory(two, tmp_path / "2"))
    asked = np.unique(rest.frame["user"])
    assert np.array_equal(one.score(log.histories(asked)), two.score(rest.histories(asked)))
    if not hasattr(one, "forget"):
        return
    # a request that names presses and deeds, and one of presses alone
    gone = np.r_[presses[:7], rest.frame["interaction"].to_numpy()[::9]]
    one.forget(log.only(gone)).forget(log.only(presses[7:9]))
    two.forget(rest.only(np.setdiff1d(gone, presses)))
    assert equal(memory(one, tmp_path / "3"), memory(two, tmp_path / "4"))


def trained(name):
    pytest.importorskip("torch")
    model = getattr(recommend, name)
    few = {"epochs": 1, "batch": 64, "learning_rate": 0.01, "validation_users": 3}
    training = recommend.Training(**few)
    return model(model.Config(**TINY[name], training=training))


@pytest.mark.parametrize("name", TINY)
def test_trained_models_are_trained_on_no_press(name):
    presses = PRESSED.frame.loc[PRESSED.frame["action"].isin(BUTTONS), "interaction"]
    assert first_difference(*(state(trained(name).fit(log)) for log in (PRESSED, LOG))) is None
    # presses among the rows trained on, and others among those asked for: by people, too, of whom
    # nothing else is asked
    parts = split(LOG, "temporal")
    pair = parts.train, parts.valid.select((parts.valid.frame["user"] >= 12).to_numpy())
    plain = [part.frame["interaction"] for part in pair]
    more = [PRESSED.only(np.r_[ids, presses[at::2]]) for at, ids in enumerate(plain)]
    assert (more[1].frame["user"] < 12).any()
    fits = [trained(name).fit(*logs) for logs in (more, pair)]
    assert first_difference(*map(state, fits)) is None and fits[0].shape == fits[1].shape
    assert fits[0].record["validation"].equals(fits[1].record["validation"])
    # examples, of everybody and of those who pressed; and those left after a request
    model = trained(name).fit(LOG)
    for users in (None, np.unique(PRESSED.frame["user"])[:6]):
        one, two = (model.examples(log, users).targets() for log in (PRESSED, LOG))
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
        assert not np.isin(one[1], presses).any()
    gone = LOG.frame["interaction"].to_numpy()[::9]
    before = model.examples(LOG)
    left = [log.without(gone) for log in (PRESSED, LOG)]
    one, two = (model.examples(log, like=before).targets() for log in left)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    one, two = (state(model.copy().rebuild(log)) for log in left)
    assert first_difference(one, two) is None


def test_a_model_of_somebody_else_is_handed_no_press():
    one, two = fitted_copy(Counts(), PRESSED), fitted_copy(Counts(), LOG)
    assert np.array_equal(one.counts, two.counts)


def test_every_model_of_the_house_is_asked():
    kinds = {type(made(name)).__name__ for name in [*SUMS, *OTHERS]} | set(TINY)
    house = {name for name in dir(recommend) if hasattr(getattr(recommend, name), "fit")}
    assert house - kinds <= {"Recommender", "Counted", "Trained", "ByRefit"}
    assert len(small_log()) == len(LOG)
