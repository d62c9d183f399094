"""What trained models say to input they cannot use."""

import numpy as np
import pandas as pd
import pytest
from logs import random_log
from pydantic import ValidationError

from workbench.data import Interactions
from workbench.errors import DataError, ModelError
from workbench.recommend import GRU4Rec, GRU4RecConfig, Training
from workbench.recommend.laws import small_log

torch = pytest.importorskip("torch")
from workbench.recommend.saving import fill, load_arrays, save_arrays, weights  # noqa: E402
from workbench.recommend.training import train  # noqa: E402

QUICK = Training(epochs=1, batch=64)


def quick(**options):
    return GRU4Rec(GRU4RecConfig(embedding=4, hidden=4, training=QUICK, **options))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_names_its_place_and_the_best_weights_come_back(bad):
    module = torch.nn.Linear(1, 1)
    first, seen = module.weight.detach().clone(), []

    def loss(batch):
        seen.append(batch)
        losses = module(batch[:, None]).square().sum(1)
        return torch.where(
            torch.tensor(len(seen) == 3) & (batch == 2), torch.full_like(losses, bad), losses
        )

    batches = [torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0, 2.0])]
    with pytest.raises(ModelError, match=r"epoch 1, step 0") as caught:
        train(module, loss, lambda epoch: batches[::-1] if epoch else batches, Training(epochs=3))
    assert "examples 1, 2 of the batch" in str(caught.value) and str(bad) in str(caught.value)
    assert not module.training and torch.isfinite(module.weight).all()
    assert not torch.equal(module.weight, first)  # epoch 0 was whole, and its weights are kept
    again = torch.nn.Linear(1, 1)
    start = again.weight.detach().clone()
    with pytest.raises(ModelError, match="epoch 0, step 0"):
        train(
            again,
            lambda batch: again(batch[:, None])[:, 0] * bad,
            lambda epoch: batches,
            Training(epochs=1),
        )
    assert torch.equal(again.weight, start)


def test_nothing_to_train_on_is_said():
    module = torch.nn.Linear(1, 1)
    with pytest.raises(ModelError, match="nothing to train on"):
        train(module, lambda batch: module(batch), lambda epoch: [], Training(epochs=1))
    # nothing follows anything
    alone = Interactions.from_table(pd.DataFrame({"user": [0, 1, 2], "item": [0, 1, 0]}))
    with pytest.raises(ModelError, match="nothing to train on"):
        quick().fit(alone)


def test_weights_of_another_model_or_shape_are_refused(tmp_path):
    save_arrays(tmp_path / "model", "One", QUICK, weights(torch.nn.Linear(2, 3)))
    config, arrays = load_arrays(tmp_path / "model", "One", Training, ())
    assert config == QUICK and not fill(torch.nn.Linear(2, 3), arrays, tmp_path).training
    with pytest.raises(ModelError, match=r"weight weight is \(3, 2\), the model's is \(3, 4\)"):
        fill(torch.nn.Linear(4, 3), arrays, tmp_path)
    with pytest.raises(ModelError, match=r"weight bias is \(3,\), the model's is absent"):
        fill(torch.nn.Linear(2, 3, bias=False), arrays, tmp_path)
    with pytest.raises(ModelError, match="holds One"):
        load_arrays(tmp_path / "model", "Two", Training, ())
    quick().fit(small_log()).save(tmp_path / "gru")
    text = (tmp_path / "gru" / "model.json").read_text(encoding="utf-8")
    (tmp_path / "gru" / "model.json").write_text(
        text.replace('"hidden": 4', '"hidden": 5'), encoding="utf-8"
    )
    with pytest.raises(ModelError, match="load it with the config it was saved with"):
        GRU4Rec.load(tmp_path / "gru")


@pytest.mark.parametrize(
    "field",
    [
        {"epochs": 0},
        {"batch": -1},
        {"learning_rate": 0},
        {"clip": 0},
        {"patience": 0},
        {"seed": -1},
        {"metric": "auc"},
        {"threads": 0},
        {"minutes": 0},
        {"weight_decay": -0.1},
        {"no_such_field": 1},
    ],
    ids=str,
)
def test_fields_out_of_range_are_refused_by_name(field):
    with pytest.raises(ValidationError, match=next(iter(field))):
        Training(**field)


@pytest.mark.parametrize(
    "field", [{"embedding": 0}, {"hidden": 0}, {"dropout": 1.0}, {"max_length": 0}], ids=str
)
def test_a_models_own_fields_too(field):
    with pytest.raises(ValidationError, match=next(iter(field))):
        GRU4RecConfig(**field)


def test_long_sequences_are_cut_and_empty_ones_refused():
    log = small_log()
    model = quick(max_length=3).fit(log)
    histories = log.histories([0, 1])
    last = histories.keep(
        np.concatenate([np.arange(n) >= n - 3 for n in np.diff(histories.offsets)])
    )
    assert np.allclose(model.score(histories), model.score(last), atol=1e-6)
    with pytest.raises(DataError, match=r"row 1.*an empty history"):
        model.score(log.histories([0, log.n_users - 1]))


def test_histories_of_another_catalogue_are_refused():
    with pytest.raises(ModelError, match="histories of 9 items for a model of 16"):
        quick().fit(small_log()).score(random_log(items=9).histories([0]))


def test_unseen_items_and_one_item_catalogues_have_scores():
    log = small_log()
    assert np.isfinite(quick().fit(log).score(log.histories([0]))[:, -1]).all()
    one = Interactions.from_table(pd.DataFrame({"user": [0, 0, 1, 1], "item": ["a"] * 4}))
    assert quick().fit(one).score(one.histories()).shape == (2, 1)
