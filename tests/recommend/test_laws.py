"""The laws of a recommender: they hold for the workbench's own, and every broken one is caught by
the right law."""

import copy
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from workbench import recommend
from workbench.errors import ConfigError, DataError
from workbench.recommend import (
    ALS,
    EASE,
    SKNN,
    TIFUKNN,
    UPCF,
    VSKNN,
    ItemKNN,
    ItemKNNConfig,
    LastItem,
    LastItemConfig,
    Markov,
    OwnActions,
    Popularity,
    Recency,
    SessionItemKNN,
    SessionPopularity,
    SKNNConfig,
    TIFUKNNConfig,
    TopFreq,
    TopFreqConfig,
    UPCFConfig,
    VSKNNConfig,
    check_recommender,
)
from workbench.recommend.laws import LAWS, small_log

SUMS = {  # the score is a sum over the history
    "popularity": Popularity,
    "ease": EASE,
    "own actions": OwnActions,
    "itemknn": ItemKNN(ItemKNNConfig(k=3)),
    "itemknn, centred": lambda: ItemKNN(ItemKNNConfig(centre=True, normalise=True)),
    "als": ALS(),
    "recency": Recency,
    "session popularity": SessionPopularity,
    "last item": LastItem,
    "last two items": LastItem(LastItemConfig(items=2)),
    "topfreq G": TopFreq(TopFreqConfig(whose="G")),
    "tifuknn, own": TIFUKNN(TIFUKNNConfig(alpha=1)),
    "upcf, own": UPCF(UPCFConfig(neighbours=1)),
}
OTHERS = {  # it falls back to what is popular, or others' rows carry a part of it
    "markov": Markov,
    "session itemknn": SessionItemKNN,
    "sknn": SKNN(SKNNConfig(k=3, m=5)),
    "vsknn": VSKNN(VSKNNConfig(k=3, m=5)),
    "topfreq GP": TopFreq,
    "tifuknn": TIFUKNN(TIFUKNNConfig(neighbours=3)),
    "upcf": UPCF(UPCFConfig(neighbours=3, shrink=1)),
}
TINY = {  # what a trained model is called, and how it is kept small
    "BPR": {"embedding": 4},
    "LightGCN": {"embedding": 4},
    "SGL": {"embedding": 4},
    "GRU4Rec": {"embedding": 4, "hidden": 4},
    "NARM": {"embedding": 4, "hidden": 4},
    "SASRec": {"hidden": 4, "inner": 4},
    "SRGNN": {"hidden": 4},
    "DNNTSP": {"embedding": 4},
    "Sets2Sets": {"hidden": 4},
}


@pytest.mark.parametrize("name", [*SUMS, *OTHERS])
def test_the_laws_hold(name):
    checks = check_recommender((SUMS | OTHERS)[name], additive=name in SUMS)
    assert checks.ok and not checks.broken, checks.frame.to_string()
    assert list(checks.frame["law"]) == list(LAWS) and list(checks.to_frame().columns) == [
        "law",
        "ok",
        "detail",
    ]
    asked = checks.frame.set_index("law")["ok"]
    assert pd.isna(asked["contributions sum"]) == (name in OTHERS)
    assert pd.isna(asked["saved after forgetting"]) == (name == "als")


def test_a_model_may_offer_some_items_only():
    own = TopFreq(TopFreqConfig(whose="P"))
    assert check_recommender(own, additive=False, partial=True).ok
    assert set(check_recommender(own, additive=False).broken) == {
        "nothing masked",
        "unknown user",
        "empty history",
    }
    hides = mutant(Parts, score=masks)
    assert "nothing masked" in check_recommender(hides, partial=True).broken


@pytest.mark.parametrize("name", TINY)
def test_the_laws_hold_for_the_trained(name):
    pytest.importorskip("torch")
    model = getattr(recommend, name)
    training = recommend.Training(epochs=1, batch=64, learning_rate=0.01)
    checks = check_recommender(
        model(model.Config(**TINY[name], training=training)), log=small_log(rows=60)
    )
    assert checks.ok, checks.frame.to_string()
    absent = checks.frame.loc[checks.frame["ok"].isna(), "law"]
    assert set(absent) == {law for law in LAWS if "forget" in law or "contributions" in law}


def test_what_is_passed_in_is_left_alone():
    mine, log = EASE(), small_log()
    check_recommender(mine, log)
    assert mine.cells is None and log.frame.equals(small_log().frame)


def test_the_result_says_itself():
    checks = check_recommender(Least)
    assert repr(checks) == "Findings(Least: 13 hold, 0 broken, 28 not asked)"
    html = checks._repr_html_()
    assert "not offered: copy" in html and "<script" not in html and html == checks._repr_html_()
    broken = check_recommender(mutant(Least, score=lambda self, h: Least.score(self, h) * np.nan))
    assert broken.broken and not broken.ok and "broken" in broken._repr_html_()
    detail = broken.frame.set_index("law").loc["finite", "detail"]
    assert detail.startswith("expected: numbers for every history and item; found: ")


def test_what_is_no_recommender_is_refused():
    with pytest.raises(ConfigError, match="no fit"):
        check_recommender(3)
    with pytest.raises(ConfigError, match="no score"):
        check_recommender(type("Half", (), {"fit": lambda self, log: self}))


def test_a_model_that_cannot_be_fitted_ends_the_check():
    def fit(self, log):
        raise RuntimeError("no")

    checks = check_recommender(mutant(Least, fit=fit))
    assert (
        checks.broken == ["fit"]
        and "RuntimeError: no" in checks.frame["detail"][0]
        and len(checks.frame) == 1
    )


def test_torch_is_not_imported_for_models_that_do_without():
    code = (
        "import sys; from workbench.recommend import EASE, check_recommender; assert "
        "check_recommender(EASE).ok; "
    )
    subprocess.run([sys.executable, "-c", code + "assert 'torch' not in sys.modules"], check=True)


# --- broken models: each by one change ------------------------------------------------------------


class Least:
    """The least that is a recommender: rows per item, and one more for each of the history's
    own."""

    def fit(self, log, valid=None):
        self.held, self.ids = log.counts().toarray(), np.unique(log.frame["interaction"])
        return self

    def score(self, histories):
        return histories.counts().toarray() + self.held.sum(axis=0)


class Parts(Least):
    """The same with all that a counted model offers."""

    def copy(self):
        return copy.deepcopy(self)

    def save(self, folder):
        folder.mkdir()
        save_file({"held": self.held, "ids": self.ids}, folder / "arrays.safetensors")

    @classmethod
    def load(cls, folder):
        model, arrays = cls(), load_file(folder / "arrays.safetensors")
        model.held, model.ids = arrays["held"], arrays.get("ids")
        return model

    def forget(self, removed):
        left, gone = self.held - removed.counts().toarray(), removed.frame["interaction"]
        if (left < 0).any() or not (self.ids is None or np.isin(gone, self.ids).all()):
            raise DataError("rows that are not held")
        self.held[:], self.ids = left, None if self.ids is None else np.setdiff1d(self.ids, gone)
        return self

    def contributions(self, histories, items):
        from workbench.recommend.cells import contribution_table

        counts = histories.counts().toarray()
        return contribution_table(
            histories,
            items,
            lambda i, at: counts[histories.rows[at], i] * (i == histories.item[at]),
        )


def mutant(base, **parts):
    return type("Mutant", (base,), parts)


def wrong_shape(self, h):
    return Least.score(self, h)[:, 1:]


def whole_numbers(self, h):
    return Least.score(self, h).astype(int)


def masks(self, h):
    return np.where(h.matrix().toarray() > 0, -np.inf, Least.score(self, h))


def masks_low(self, h):
    return np.where(h.matrix().toarray() > 0, -1e9, Least.score(self, h))


def not_a_number(self, h):
    scores = Least.score(self, h)
    scores[0, 0] = np.nan
    return scores


def writes_into_histories(self, h):
    h.item[:] = 0
    return Least.score(self, h)


def random(self, h):
    return Least.score(self, h) + np.random.random(self.held.shape[1])


def by_batch(self, h):
    return Least.score(self, h) / len(h)


def by_place(self, h):
    return Least.score(self, h) + np.arange(len(h))[:, None]


def by_user(self, h):
    return Least.score(self, h) + np.zeros(24)[h.user][:, None]


def no_empty(self, h):
    return Least.score(self, h) / h.counts().sum(axis=1)[:, None]


def fits_nothing(self, log, valid=None):
    Least.fit(self, log)


def fits_on(self, log, valid=None):
    self.held = (
        getattr(self, "held", 0)[:, : log.n_items] + log.counts().toarray()
        if hasattr(self, "held")
        else 0
    )
    return self if np.ndim(self.held) else Least.fit(self, log)


def fits_and_writes(self, log, valid=None):
    log.frame["value"] = 1.0
    return Least.fit(self, log)


def fits_two_items(self, log, valid=None):
    self.second = log.counts().toarray()[:, 1]
    return Least.fit(self, log)


def draws(self, log, valid=None):
    Least.fit(self, log)
    self.held = self.held + np.random.random(log.n_items)
    return self


def half_saved(self, folder):
    folder.mkdir()
    save_file({"held": (self.held / 3).astype(np.float16)}, folder / "arrays.safetensors")


def names_all(self, log, valid=None):
    # the cells that were ever held, which no request reaches
    self.named = log.counts().toarray() > 0
    return Least.fit(self, log)


def saves_names(self, folder):
    folder.mkdir()
    save_file({"held": self.held, "named": self.named}, folder / "arrays.safetensors")


def saves_how_often(self, folder):
    folder.mkdir()
    forgot = {"forgot": np.ones(1)} if hasattr(self, "forgot") else {}
    save_file({"held": self.held} | forgot, folder / "arrays.safetensors")


def counts_requests(self, removed):
    self.forgot = True
    return Parts.forget(self, removed)


def forgets_by_cell(self, removed):
    self.ids = None
    return Parts.forget(self, removed)


def refuses(asked, answer):
    if asked.bound != small_log().index_fingerprint:
        raise DataError("another log")
    return answer


def forgets_half(self, removed):
    self.held -= 0.5 * removed.counts().toarray()
    return self


def forgets_again(self, removed):
    self.held -= removed.counts().toarray()
    return self


def forgets_once_a_user(self, removed):
    keep = ~removed.frame["user"].duplicated()
    return Parts.forget(self, removed.select(keep))


def doubled(self, h, items):
    return Parts.contributions(self, h, items).assign(weight=lambda t: 2 * t["weight"])


def strangers(self, h, items):
    return Parts.contributions(self, h, items).assign(
        interaction=lambda t: t["interaction"].to_numpy()[::-1]
    )


BROKEN = {
    "shape": [{"score": wrong_shape}, {"score": lambda self, h: Least.score(self, h).tolist()}],
    "dtype": [{"score": whole_numbers}],
    "nothing masked": [{"score": masks}, {"score": masks_low}],
    "finite": [{"score": not_a_number}],
    "input unchanged": [{"score": writes_into_histories}, {"fit": fits_and_writes}],
    "same again": [{"score": random}, {"fit": draws}],
    "fit": [{"fit": fits_nothing}],
    "fit starts afresh": [{"fit": fits_on}],
    "alone or together": [{"score": by_batch}],
    "any order": [{"score": by_place}],
    "unknown user": [{"score": by_user}],
    "empty history": [{"score": no_empty}],
    "one item": [{"fit": fits_two_items}],
    "copy": [
        {"copy": lambda self: self},
        {"copy": lambda self: copy.copy(self)},
        {"copy": lambda self: Parts()},
    ],
    "save and load": [{"save": half_saved}],
    "forget": [
        {"forget": forgets_half},
        {"forget": forgets_once_a_user},
        {"forget": lambda self, removed: self},
        {"forget": lambda self, removed: Parts.forget(self.copy(), removed)},
    ],
    "saved after forgetting": [
        {"fit": names_all, "save": saves_names},
        {"forget": counts_requests, "save": saves_how_often},
    ],
    "forget once": [{"forget": forgets_again}],
    "forget each id once": [{"forget": forgets_by_cell}, {"forget": forgets_again}],
    "another log": [
        {"bound": "any"},
        {"bound": "any", "score": lambda self, h: refuses(h, Least.score(self, h))},
    ],
    "contributions": [{"contributions": strangers}],
    "contributions sum": [{"contributions": doubled}],
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("law", "parts"),
    [(law, parts) for law, many in BROKEN.items() for parts in many],
    ids=lambda v: str(v)[:20],
)
def test_a_broken_model_is_caught_by_the_law_it_breaks(law, parts):
    assert law in check_recommender(mutant(Parts, **parts)).broken


def test_nothing_is_broken_before_the_change():
    assert check_recommender(Parts).ok


class Draws:
    """A sound model, but for what it draws anew in every fit."""

    def fit(self, log, valid=None):
        self.w = np.random.default_rng().random(log.n_items)
        return self

    def score(self, histories):
        return np.tile(self.w, (len(histories), 1))

    def copy(self):
        return copy.deepcopy(self)


@pytest.mark.parametrize(
    ("model", "not_asked"),
    [
        (Draws, {"fit starts afresh"}),
        (mutant(Parts, fit=draws), {"fit starts afresh", "forget", "saved after forgetting"}),
        (
            mutant(Parts, score=random),
            {
                "fit starts afresh",
                "forget",
                "saved after forgetting",
                "alone or together",
                "any order",
            }
            | {"copy", "save and load", "forget once", "contributions sum", "forget each id once"},
        ),
    ],
    ids=["draws", "draws and forgets", "draws in score"],
)
def test_a_model_that_is_not_the_same_twice_has_one_fault(model, not_asked):
    found = check_recommender(model)
    assert found.broken == ["same again"]
    detail = found.frame.set_index("law")["detail"]
    assert set(detail.index[detail.str.contains('see the law "same again"')]) == not_asked


def test_a_copy_that_is_none_is_found_in_a_model_that_draws_too():
    other = mutant(Draws, copy=lambda self: type(self)().fit(small_log()))
    assert check_recommender(other).broken == ["same again", "copy"]


def test_a_trained_model_that_draws_has_one_fault():
    torch = pytest.importorskip("torch")
    tiny = trained()
    fit = lambda self, log: unseeded(self, log, torch=torch, fit=tiny.fit)  # noqa: E731
    assert check_recommender(type("Tiny", (tiny,), {"fit": fit})).broken == ["same again"]


class Short(Parts):
    """Numbers of float32, whatever they are handed over in."""

    as_dtype = np.float64

    def score(self, histories):
        counts = histories.counts().toarray().astype(np.float32)
        return (counts / np.float32(3) + np.float32(1e-3)).astype(self.as_dtype)

    def contributions(self, histories, items):
        made = super().contributions(histories, items)
        return made.assign(weight=made["weight"] / 3 * (1 + 5e-8))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_rounding_depends_on_the_numbers_kind(dtype):
    assert check_recommender(mutant(Short, as_dtype=dtype)).ok
    off = mutant(
        Short,
        contributions=lambda self, h, i: Short.contributions(self, h, i).assign(
            weight=lambda t: t["weight"] * 1.01
        ),
    )
    found = check_recommender(off)
    assert found.broken == ["contributions sum"]
    detail = found.frame.set_index("law").loc["contributions sum", "detail"]
    assert "(float32: 0.0001 is rounding)" in detail


def test_float64_is_held_to_its_own_rounding():
    found = check_recommender(
        mutant(
            Parts,
            contributions=lambda self, h, i: Parts.contributions(self, h, i).assign(
                weight=lambda t: t["weight"] * (1 + 5e-9)
            ),
        )
    )
    assert found.broken == ["contributions sum"]
    assert "(float64: 1e-09 is rounding)" in str(found.frame["detail"].tolist())


@pytest.mark.parametrize("parts", BROKEN["saved after forgetting"], ids=["names", "requests"])
def test_a_file_that_remembers_breaks_no_other_law(parts):
    assert check_recommender(mutant(Parts, **parts)).broken == ["saved after forgetting"]


def test_a_model_that_saves_in_its_own_way_is_not_asked():
    checks = check_recommender(
        mutant(Parts, save=lambda self, folder: folder.write_text("mine"))
    ).frame
    row = checks.set_index("law").loc["saved after forgetting"]
    assert row["ok"] is pd.NA and row["detail"] == "not offered: arrays in a .safetensors file"


def test_a_score_that_claims_to_be_no_sum_is_not_held_to_it():
    checks = check_recommender(mutant(Parts, contributions=doubled), additive=False)
    assert not checks.broken


# --- trained --------------------------------------------------------------------------------------


def trained(**parts):
    """A tiny factor model by gradient descent, with some parts replaced."""
    torch = pytest.importorskip("torch")

    class Network(torch.nn.Module):
        def __init__(self, users, items):
            super().__init__()
            self.user, self.item = torch.nn.Embedding(users, 3), torch.nn.Embedding(items, 3)

    class Tiny:
        def fit(self, log, valid=None):
            generator = torch.Generator().manual_seed(1)
            self.module = Network(log.n_users, log.n_items)
            with torch.no_grad():
                for value in self.module.parameters():
                    value.normal_(generator=generator)
            optimiser = torch.optim.SGD(self.module.parameters(), 0.1)
            for _ in range(3):
                optimiser.zero_grad()
                self.loss(self.examples(log)).mean().backward()
                optimiser.step()
            self.module.eval()
            return self

        module = None

        def examples(self, log, users=None):
            frame = log.frame if users is None else log.frame[log.frame["user"].isin(users)]
            return torch.tensor(frame[["user", "item"]].to_numpy(np.int64))

        def loss(self, examples):
            u, i = self.module.user(examples[:, 0]), self.module.item(examples[:, 1])
            return torch.nn.functional.softplus(-(u * i).sum(1))

        def represent(self, histories):
            known = (histories.user >= 0) & (histories.user < self.module.user.num_embeddings)
            users = torch.tensor(np.where(known, histories.user, 0).astype(np.int64))
            return self.module.user(users)

        def score(self, histories):
            with torch.no_grad():
                return (self.represent(histories) @ self.module.item.weight.T).numpy()

        def parameter_groups(self):
            return {
                "users": [self.module.user.weight],
                "items": [self.module.item.weight],
                "shared": [],
            }

        def rebuild(self, log):
            return self

        def copy(self):
            return copy.deepcopy(self)

    return type("Tiny", (Tiny,), {name: part(Tiny, torch) for name, part in parts.items()})


def forgotten_weight(tiny, torch):
    return lambda self: {"users": [], "items": [self.module.item.weight], "shared": []}


def moved(self, log):
    self.module.item.weight.data += 1
    return self


def left_training(self, log, valid=None, fit=None):
    fit(self, log)
    self.module.train()
    return self


def unseeded(self, log, torch=None, fit=None):
    fit(self, log)
    self.module.item.weight.data += torch.rand(1)
    return self


def unread(self, log, torch=None, fit=None):
    fit(self, log)
    self.module.spare = torch.nn.Parameter(torch.rand(1))  # drawn anew, and no score reads it
    return self


def cut(tiny, torch):
    def loss(self, examples):  # a straight-through trick: right value, wrong second derivative
        value = tiny.loss(self, examples)
        u = self.module.user(examples[:, 0])
        slope = -torch.sigmoid(-(u * self.module.item(examples[:, 1])).sum(1)).detach()
        line = slope * (u * self.module.item(examples[:, 1])).sum(1)
        return line + (value - line).detach()

    return loss


TRAINED = {
    "loss": [
        {"loss": lambda tiny, torch: lambda self, e: tiny.loss(self, e).mean()},
        {"loss": lambda tiny, torch: lambda self, e: tiny.loss(self, e).mean()[None]},
        {"loss": lambda tiny, torch: lambda self, e: tiny.loss(self, e) + torch.rand(len(e))},
    ],
    "second derivative": [{"loss": cut}],
    "parameter groups": [{"parameter_groups": forgotten_weight}],
    "rebuild": [{"rebuild": lambda tiny, torch: moved}],
    "same weights": [
        {"fit": lambda tiny, torch: lambda self, log: unread(self, log, torch=torch, fit=tiny.fit)},
    ],
    "represent": [
        {"represent": lambda tiny, torch: lambda self, h: tiny.represent(self, h)[:, None]}
    ],
    "evaluation mode": [
        {"fit": lambda tiny, torch: lambda self, log: left_training(self, log, fit=tiny.fit)}
    ],
    "copy": [{"copy": lambda tiny, torch: lambda self: copy.copy(self)}],
}


def test_the_laws_of_trained_models_hold():
    checks = check_recommender(trained())
    assert checks.ok, checks.frame.to_string()
    assert checks.frame["ok"].sum() == 21


@pytest.mark.parametrize(
    ("law", "parts"),
    [(law, parts) for law, many in TRAINED.items() for parts in many],
    ids=lambda v: str(v)[:20],
)
def test_a_broken_trained_model_is_caught(law, parts):
    assert law in check_recommender(trained(**parts)).broken


def test_a_log_of_too_few_rows_and_no_refit_give_no_verdict():
    log = small_log()
    for few in (log.select(np.arange(len(log)) < n) for n in (0, 1, 3)):
        with pytest.raises(DataError, match="two people"):
            check_recommender(Popularity, few)
    for fits in (0, -1, "3"):
        with pytest.raises(ConfigError, match="fits"):
            check_recommender(Popularity, fits=fits)
    with pytest.raises(ConfigError, match="DataFrame"):
        check_recommender(Popularity, log.frame)
