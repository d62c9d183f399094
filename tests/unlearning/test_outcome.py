"""One request: what is refused, what is recorded as failed, and that the way back is whole."""

import copy
import mmap
import threading
import time

import numpy as np
import pytest
import torch

from workbench import recommend
from workbench.errors import ConfigError, DataError, ModelError, WorkbenchError
from workbench.recommend import EASE, Training
from workbench.recommend.laws import small_log
from workbench.unlearning import Request, unlearn
from workbench.unlearning.algorithms import exact, fine_tune, no_op, retrain
from workbench.unlearning.laws_bench import differs, state
from workbench.unlearning.outcome import step_length, watched, weights

LOG = small_log(2, rows=60)
ONCE = Training(epochs=1, batch=32, learning_rate=0.01, seed=3)
TINY = {
    "BPR": {"embedding": 4},
    "LightGCN": {"embedding": 4},
    "SGL": {"embedding": 4},
    "GRU4Rec": {"embedding": 4, "hidden": 5},
    "Sets2Sets": {"hidden": 5},
}
every = pytest.mark.parametrize("name", TINY)


def fitted(name="BPR"):
    kind = getattr(recommend, name)
    return kind(kind.Config(**TINY[name], training=ONCE)).fit(LOG)


def asked(user=3, rows=3):
    ids = LOG.frame.loc[LOG.frame["user"] == user, "interaction"].to_numpy()
    return Request(0, ids[:rows])


# --- algorithms that go wrong after they have changed everything there is


def wreck(model, before, request):
    """Weights, buffers, graph and caches, all of them."""
    model.rebuild(before.only(before.frame["interaction"].to_numpy()[:20]))
    with torch.no_grad():
        for value in model.module.state_dict().values():
            value.add_(1.0)


def not_a_number(model, before, request, config, seed):
    wreck(model, before, request)
    with torch.no_grad():
        next(model.module.parameters())[0] = torch.nan


def nan_buffer(model, before, request, config, seed):
    wreck(model, before, request)
    model.module.weight[0] = torch.inf


def no_memory(model, before, request, config, seed):
    wreck(model, before, request)
    raise MemoryError("16 GiB")


def no_model(model, before, request, config, seed):
    wreck(model, before, request)
    raise ModelError("it does not fit")


def other_shape(model, before, request, config, seed):
    wreck(model, before, request)
    first = next(iter(model.module.children()))
    first.weight = torch.nn.Parameter(torch.zeros(2, 2))


def other_names(model, before, request, config, seed):
    wreck(model, before, request)
    model.module.more = torch.nn.Parameter(torch.zeros(2))


def still_training(model, before, request, config, seed):
    wreck(model, before, request)
    model.module.train()


WRONG = {
    "nan": (not_a_number, "not finite"),
    "memory": (no_memory, "MemoryError: 16 GiB"),
    "error": (no_model, "ModelError: it does not fit"),
    "shape": (other_shape, "was ("),
    "names": (other_names, "more in one of the two"),
    "training mode": (still_training, "left in training mode"),
}


@every
@pytest.mark.parametrize("how", WRONG)
def test_a_failure_is_recorded_and_taken_back_to_the_bit(name, how):
    model, (run, says) = fitted(name), WRONG[how]
    want = state(model, LOG)
    found = unlearn(run, model, LOG, asked())
    assert found.status == "failed" and says in found.notes["error"] and found.step == 0
    assert found.model is not model
    for each in (model, found.model):
        assert differs(state(each, LOG), want) is None
        assert not each.module.training
    # and the stream goes on from there
    assert unlearn(retrain, found.model, LOG, asked()).status == "done"


def test_a_buffer_counts_too():
    model = fitted("Sets2Sets")
    found = unlearn(nan_buffer, model, LOG, asked())
    assert found.status == "failed" and "weight is not finite" in found.notes["error"]
    assert differs(state(found.model, LOG), state(model, LOG)) is None


def test_repr_says_why():
    assert "MemoryError" in repr(unlearn(no_memory, fitted(), LOG, asked()))


# --- requests and models that are refused before anything is done


def untouched(error, match, algorithm=fine_tune, model=None, log=LOG, request=None):
    model = fitted() if model is None else model
    with pytest.raises(error, match=match):
        unlearn(algorithm, model, log, asked() if request is None else request)


def test_rows_that_are_not_there():
    untouched(DataError, "none of the 2 rows", request=Request(0, [10**6, 10**6 + 1]))


def test_nothing_asked():
    untouched(DataError, "none of the 0 rows", request=Request(0, []))


def test_the_same_request_twice():
    model, request = fitted(), asked()
    found = unlearn(fine_tune, model, LOG, request)
    untouched(DataError, "forgotten once", model=found.model, log=request.remaining(LOG))


def test_rows_that_are_partly_there_are_served():
    request = Request(0, [*asked().interactions, 10**6])
    assert unlearn(fine_tune, fitted(), LOG, request).status == "done"


@every
def test_a_request_that_empties_a_user_or_session(name):
    model, request = fitted(name), asked(rows=100)
    found = unlearn(fine_tune, model, LOG, request)
    left = request.remaining(LOG)
    assert found.status == "done" and 3 not in left.frame["user"].to_numpy()
    assert np.isfinite(found.model.score(left.histories([4, 5]))).all()


def test_a_request_that_empties_an_item():
    item = int(LOG.frame["item"].mode()[0])
    ids = LOG.frame.loc[LOG.frame["item"] == item, "interaction"]
    for name in TINY:
        found = unlearn(fine_tune, fitted(name), LOG, Request(0, ids))
        assert found.status == "done", found.notes
        left = Request(0, ids).remaining(LOG)
        assert np.isfinite(found.model.score(left.histories([4, 5]))).all()


def test_a_foreign_log():
    untouched(ModelError, "other indexes", log=small_log(2, users=30, rows=60))


def test_what_is_no_log_request_or_model():
    untouched(ConfigError, "Interactions", log=LOG.frame)
    untouched(ConfigError, "Request", request=asked().interactions)
    untouched(ConfigError, "the class BPR", model=recommend.BPR)
    untouched(ConfigError, "has no score", model="BPR")


def test_a_model_that_is_not_fitted():
    untouched(ModelError, "has not been fitted", model=recommend.BPR())
    untouched(ModelError, "has not been fitted", algorithm=exact, model=EASE())


def test_a_copy_that_is_none():
    class Same(EASE):
        def copy(self):
            return self

    untouched(ModelError, "the model itself", algorithm=no_op, model=Same().fit(LOG))


class Forgets:
    """A class in place of a function."""

    def __init__(self, *given):
        pass


@pytest.mark.parametrize("wrong", [Forgets, "scif", None], ids=["class", "name", "none"])
def test_what_is_no_algorithm(wrong):
    untouched(ConfigError, "a function", algorithm=wrong)


def test_an_object_that_can_be_called_will_do():
    class Mine:
        def __call__(self, model, before, request, config, seed):
            return {"mine": 1}

    assert unlearn(Mine(), fitted(), LOG, asked()).notes == {"mine": 1}


@pytest.mark.parametrize(
    ("said", "match"),
    [
        (lambda model: model, "a BPR was returned"),
        (lambda model: True, "a bool was returned"),
        (lambda model: {"seconds": 0.0, "status": "done"}, "notes named seconds, status"),
    ],
    ids=["model", "bool", "names"],
)
def test_answers_that_are_no_notes(said, match):
    untouched(ConfigError, match, algorithm=lambda model, *_: said(model))


def test_a_wrong_number_of_arguments_is_a_failure():
    found = unlearn(lambda model: None, fitted(), LOG, asked())
    assert found.status == "failed" and "TypeError" in found.notes["error"]


def test_an_interruption_is_no_failure():
    def interrupted(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unlearn(interrupted, fitted(), LOG, asked())
    assert not [one for one in threading.enumerate() if one.name == "memory"]


# --- what is measured


@pytest.mark.parametrize("name", ["EASE", "SKNN", "Popularity"])
def test_a_counted_model_that_stayed_as_it_was_is_a_no_op(name):
    model = getattr(recommend, name)().fit(LOG)
    for run, status in ((no_op, "no-op"), (exact, "done")):
        found = unlearn(run, model, LOG, asked())
        assert found.status == status and np.isnan(found.step)


def test_a_model_that_cannot_be_saved_is_known_by_its_scores():
    class Own:
        """Somebody's own: how often an item stands in the log, and nothing else."""

        bound = None

        def __init__(self, log):
            self.counts = np.bincount(log.frame["item"], minlength=log.n_items)

        def score(self, histories):
            return np.tile(self.counts.astype(float), (len(histories), 1))

        def copy(self):
            return copy.deepcopy(self)

    def counted(model, before, request, config, seed):
        model.counts = Own(request.remaining(before)).counts

    for run, status in ((no_op, "no-op"), (counted, "done")):
        assert unlearn(run, Own(LOG), LOG, asked()).status == status


def test_a_step_counts_parameters_and_no_caches():
    model = fitted("Sets2Sets")
    found = unlearn(lambda m, before, r, *_: wreck_cache(m), model, LOG, asked())
    assert found.status == "no-op" and found.step == 0
    assert not torch.equal(found.model.module.weight, model.module.weight)
    assert "weight" in weights(model, buffers=True) and "weight" not in weights(model)


def wreck_cache(model):
    model.module.weight.add_(1)


def test_the_length_of_a_step_is_that_of_all_numbers_together():
    model = fitted()
    other = model.copy()
    with torch.no_grad():
        for value in other.module.parameters():
            value.mul_(1.25)
    assert step_length(model, other) == pytest.approx(0.25, rel=1e-5)
    assert np.isnan(step_length(EASE().fit(LOG), EASE().fit(LOG)))
    assert unlearn(exact, EASE().fit(LOG), LOG, asked()).status == "done"


def test_no_gradients_are_left_behind():
    def descend(model, before, *_):
        model.loss(model.examples(before)).mean().backward()

    found = unlearn(descend, fitted(), LOG, asked()).model
    assert all(value.grad is None for value in found.module.parameters())


def test_seconds_and_memory():
    def slow(*_):
        # fresh pages: an array may be given memory that the process had freed and kept
        with mmap.mmap(-1, 60_000_000) as held:
            held.write(b"x" * 60_000_000)
            time.sleep(0.1)

    found = unlearn(slow, fitted(), LOG, asked())
    assert found.seconds >= 0.1 and found.peak_bytes > 20_000_000
    cost = {}
    with pytest.raises(WorkbenchError), watched(cost):
        raise WorkbenchError("no")
    assert cost["seconds"] >= 0
