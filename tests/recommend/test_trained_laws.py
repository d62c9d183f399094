"""The hooks of the trained models: their laws hold for all nine, and each law catches a model that
breaks it."""

import copy
from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from workbench import recommend  # noqa: E402
from workbench.recommend import Training, check_recommender  # noqa: E402
from workbench.recommend.collaborative._graph import Graph  # noqa: E402
from workbench.recommend.collaborative._pairs import Pairs  # noqa: E402
from workbench.recommend.laws import small_log  # noqa: E402
from workbench.recommend.laws.hooks import HOOKS as LAWS  # noqa: E402
from workbench.recommend.session._windows import Windows  # noqa: E402

ONCE = Training(epochs=2, batch=32, learning_rate=0.01)
LOG = small_log(rows=60)
HARD = {  # small, and with what makes a hook hard: truncation, strides, actions, pairs of items
    "BPR": {"embedding": 4, "l2": 0.1},
    "LightGCN": {"embedding": 4},
    "SGL": {"embedding": 4},
    "GRU4Rec": {"embedding": 4, "hidden": 4, "max_length": 4},
    "NARM": {"embedding": 4, "hidden": 4, "use_actions": True},
    "SASRec": {"hidden": 4, "inner": 4, "max_length": 5, "stride": 3},
    "SRGNN": {"hidden": 4, "prefixes": True, "max_length": 4},
    "DNNTSP": {"embedding": 4, "max_baskets": 2, "targets": "all"},
    "Sets2Sets": {"hidden": 4, "gate": "published"},
}


def model(name, base=None, **parts):
    """A model of the house, with some of its parts replaced."""
    kind = base or getattr(recommend, name)
    config = kind.Config(**HARD[name], training=ONCE)
    return type(name, (kind,), parts)(config) if parts else kind(config)


class Bench:
    """What the laws of `laws.py` share, for those asked here alone."""

    def __init__(self, make):
        self.make, self.log, self.seed = make, LOG, 0
        self.model, self.other = self.fitted(LOG), LOG.select(np.arange(len(LOG)) % 2 == 0)
        self.histories = LOG.histories(np.unique(LOG.frame["user"]))
        self.scores = self.model.score(self.histories)

    def fitted(self, log):
        return self.make().fit(log)

    def lean(self, fits=False):
        """These are the same twice."""


def said(law, make):
    """What a law says of a model, None where it holds; what a broken model raises is said too."""
    try:
        return LAWS[law].holds(Bench(make))
    except (AttributeError, IndexError, RuntimeError, ValueError) as error:
        return repr(error)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", HARD)
def test_the_laws_hold(name, law):
    assert LAWS[law].holds(Bench(lambda: model(name))) is None


def test_they_are_asked_with_the_others():
    asked = check_recommender(model("BPR"), log=LOG).frame.set_index("law")["ok"]
    assert asked[list(LAWS)].all()


# --- broken models: each by one change ------------------------------------------------------------


def kept(name, part):
    """A part of a model as it is, to be called by its mutant."""
    return getattr(getattr(recommend, name), part)


def one_epoch_more(self, examples, epochs=None, *rest, **more):
    return kept("BPR", "tune")(self, examples, 1 if epochs == 0 else epochs, *rest, **more)


def fits_in_its_own_way(self, log, valid=None):
    self.own = True
    try:
        return kept("SGL", "fit")(self, log, valid)
    finally:
        self.own = False


def begins_only_in_fit(self, seed):
    kept("SGL", "begin")(self, seed if getattr(self, "own", False) else None)


def starts_again(self, examples, *rest, **more):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        self._make(self.shape)
    self.rebuild(LOG)
    return kept("BPR", "tune")(self, examples, *rest, **more)


def draws_for_all(self, examples, *rest, **more):
    torch.rand(1)
    return kept("BPR", "tune")(self, examples, *rest, **more)


def with_targets(name, change):
    """Examples whose targets are told in another way."""

    def examples(self, *given, **more):
        made = kept(name, "examples")(self, *given, **more)
        kind = type("Told", (type(made),), {"targets": change})
        told = copy.copy(made)
        object.__setattr__(told, "__class__", kind)
        return told

    return examples


def shifted(self):
    return np.arange(self.n_targets), self.interaction[self._asked()]


def reversed_pairs(self):
    loss, interaction = Pairs.targets(self)
    return loss, interaction[::-1].copy()


def one_missing(self):
    return tuple(part[1:] for part in Windows.targets(self))


def forgets_like(name):
    def examples(self, log, users=None, epoch=0, like=None):
        return kept(name, "examples")(self, log, users, epoch)

    return examples


def epoch_one(self, log, users=None, epoch=1, like=None):
    return kept("BPR", "examples")(self, log, users, epoch, like)


def half_later(self, log, users=None, epoch=0, like=None):
    made = kept("BPR", "examples")(self, log, users, epoch, like)
    return made.select(slice(0, None, 2 if epoch else 1))


def without_graph(self, histories):
    return kept("SASRec", "history_logits")(self, histories).detach()


def in_halves(self, histories):
    return kept("SASRec", "history_logits")(self, histories) / 2


def scores_whole(self, histories):
    return kept("SASRec", "score")(self, histories) * 2


def turned(self, examples):
    return -kept("BPR", "example_logits")(self, examples)


def detached(self, examples):
    found = kept("DNNTSP", "example_logits")(self, examples)
    return found.detach() + 0 * found


def shifted_rows(self, users=(), items=()):
    users, items = np.array(list(users), int), np.array(list(items), int)
    users = (users + 1) % self.shape["n_users"]
    return kept("BPR", "rows")(self, users, items)


def shifted_items(self, users=(), items=()):
    items = (np.array(list(items), int) + 1) % self.shape["n_items"]
    return kept("SASRec", "rows")(self, users, items)


def with_padding(self, users=(), items=()):
    found = kept("GRU4Rec", "rows")(self, users, items)
    return {name: np.append(index, self.shape["n_items"]) for name, index in found.items()}


def without_bias(self, users=(), items=()):
    found = kept("Sets2Sets", "rows")(self, users, items)
    return {name: index for name, index in found.items() if name != "out.bias"}


def shares_its_buffer(self):
    twin = copy.deepcopy(self)
    twin.module.weight = self.module.weight
    return twin


def forgets_its_graph(self):
    twin = copy.deepcopy(self)
    cells = self.module.graph.cells.copy()
    cells.data[:] = 0
    cells.eliminate_zeros()
    twin.module.graph = Graph(cells)
    return twin


def takes_any(self, log):
    return None


def takes_any_examples(self, examples, *rest, **more):
    return kept("BPR", "tune")(self, replace(examples, bound=None), *rest, **more)


def saved_unbound(self, folder):
    twin = self.copy()
    twin.bound = None
    kept("BPR", "save")(twin, folder)


def silent(self):
    return "a model"


BROKEN = {
    "no epochs": [("BPR", {"tune": one_epoch_more})],
    "tune is fit": [("SGL", {"fit": fits_in_its_own_way, "begin": begins_only_in_fit})],
    "warm start": [("BPR", {"tune": starts_again}), ("BPR", {"tune": draws_for_all})],
    "targets": [
        ("GRU4Rec", {"examples": with_targets("GRU4Rec", shifted)}),
        ("SASRec", {"examples": with_targets("SASRec", one_missing)}),
    ],
    "named rows": [
        ("BPR", {"examples": with_targets("BPR", reversed_pairs)}),
        ("NARM", {"examples": with_targets("NARM", shifted)}),
    ],
    "like": [
        ("GRU4Rec", {"examples": forgets_like("GRU4Rec")}),
        ("BPR", {"examples": forgets_like("BPR")}),
    ],
    "epochs": [("BPR", {"examples": epoch_one}), ("BPR", {"examples": half_later})],
    "logits of histories": [
        ("SASRec", {"history_logits": without_graph}),
        ("SASRec", {"history_logits": in_halves, "score": scores_whole}),
    ],
    "logits of examples": [
        ("BPR", {"example_logits": turned}),
        ("DNNTSP", {"example_logits": detached}),
        ("BPR", {"beside": ()}),
    ],
    "rows": [
        ("BPR", {"rows": shifted_rows}),
        ("SASRec", {"rows": shifted_items}),
        ("GRU4Rec", {"rows": with_padding}),
        ("Sets2Sets", {"rows": without_bias}),
    ],
    "rollback": [
        ("Sets2Sets", {"copy": shares_its_buffer}),
        ("LightGCN", {"copy": forgets_its_graph}),
    ],
    "bound": [
        ("BPR", {"check": takes_any}),
        ("BPR", {"tune": takes_any_examples}),
        ("BPR", {"save": saved_unbound}),
        ("BPR", {"__repr__": silent}),
    ],
}


def test_every_law_has_a_mutant():
    assert set(BROKEN) == set(LAWS)


@pytest.mark.parametrize(
    ("law", "name", "parts"),
    [(law, *one) for law, many in BROKEN.items() for one in many],
    ids=lambda v: v if isinstance(v, str) else "-".join(v)[:30],
)
def test_a_broken_model_is_caught_by_the_law_it_breaks(law, name, parts):
    found = said(law, lambda: model(name, **parts))
    assert found, f"{law} holds"
    # the same without the change has nothing to say
    assert said(law, lambda: model(name, note="as it is")) is None
