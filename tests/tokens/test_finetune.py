"""fine_tune: resume, the training film, and that it leaves everything else as it was."""

import copy
import random

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

from workbench.errors import ConfigError, ModelError
from workbench.tokens import FineTuneConfig, fine_tune, finetune, make_pairs, score_tokens, weights
from workbench.tokens.objective import Objective
from workbench.tokens.small_models import PocketConfig, make_model, make_tokenizer

CONFIG = FineTuneConfig(
    steps=6, batch_size=4, accumulate=2, learning_rate=0.01, warm_up=2, film_every=2, save_every=2
)


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer(["a green lamp", "a dry tent"], 280)


@pytest.fixture(scope="module")
def pairs(tokenizer):
    rng = np.random.default_rng(0)
    rows = []
    for text in range(12):
        likes, thing = rng.choice(["green", "red", "blue"]), rng.choice(["lamp", "tent"])
        rows.append(
            (
                f"t{text}",
                text,
                0,
                f"review a {thing}",
                f"my {thing} is {likes}" * (1 + text % 2),
                [f"likes {likes}"],
            )
        )
    return make_pairs(
        pd.DataFrame(rows, columns=["text", "user", "item", "query", "response", "memories"]),
        tokenizer,
    )


@pytest.fixture(scope="module")
def model(tokenizer):
    return make_model(
        PocketConfig(hidden=16, layers=1, heads=2, feed_forward=24, context=128, seed=3), tokenizer
    )


def vector(model):
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.fixture(scope="module")
def whole(model, tokenizer, pairs):
    """A run that nothing disturbed."""
    return fine_tune(
        model, tokenizer, pairs, weights.Permuted(loss=weights.PerCE()), CONFIG, 1, pairs.head(3)
    )


def test_it_learns_and_leaves_the_given_model_and_the_generators(model, tokenizer, pairs, capsys):
    before, state, training = vector(model).clone(), torch.random.get_rng_state(), model.training
    others = random.getstate(), np.random.get_state()[1].copy()
    config = FineTuneConfig(steps=25, batch_size=6, learning_rate=0.02, warm_up=2)
    tuned, record = fine_tune(model, tokenizer, pairs, weights.CE(), config, seed=1)
    assert (
        torch.equal(vector(model), before)
        and model.training == training
        and not model._forward_pre_hooks
    )
    assert torch.equal(torch.random.get_rng_state(), state)
    assert random.getstate() == others[0] and (np.random.get_state()[1] == others[1]).all()
    first, last = (
        score_tokens(one, tokenizer, pairs, ("loss",))["loss"].mean() for one in (model, tuned)
    )
    assert last < first - 1
    assert record.steps["step"].tolist() == list(range(1, 26)) and record.film.empty
    assert record.steps["learning_rate"].max() == pytest.approx(0.02)
    # a tenth of the peak
    assert record.steps["learning_rate"].iloc[-1] == pytest.approx(0.002, rel=0.2)
    assert (
        set(record.to_frame()["method"]) == {"CE"}
        and repr(record) == "Training(CE, 25 steps, seed 1)"
    )
    assert capsys.readouterr() == ("", "")


def test_a_stopped_run_ends_like_one_that_was_not(
    model, tokenizer, pairs, whole, tmp_path, monkeypatch, capsys
):
    loss, film = weights.Permuted(loss=weights.PerCE()), pairs.head(3)
    count, step = [0], finetune.Trainer.training_step

    def stops(self, *args, **kwargs):
        count[0] += 1
        if count[0] == 6:  # in step 4: an epoch has three batches, its second step only one
            raise KeyboardInterrupt
        return step(self, *args, **kwargs)

    monkeypatch.setattr(finetune.Trainer, "training_step", stops)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(model, tokenizer, pairs, loss, CONFIG, 1, film, tmp_path)
    assert (tmp_path / "checkpoint-2").is_dir() and not (tmp_path / "checkpoint-4").exists()
    assert pd.read_parquet(tmp_path / "film.parquet")["step"].unique().tolist() == [0, 2]
    (tmp_path / "checkpoint-3").mkdir()  # one that was never finished
    tuned, record = fine_tune(model, tokenizer, pairs, loss, CONFIG, 1, film, tmp_path)
    assert count[0] == 6 + 6  # steps 3 to 6
    assert capsys.readouterr() == ("", "")
    assert torch.equal(vector(tuned), vector(whole[0]))
    pd.testing.assert_frame_equal(record.film, whole[1].film)
    pd.testing.assert_frame_equal(record.steps, whole[1].steps)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "film.parquet"), record.film)
    for change in (
        {"seed": 2},
        {"config": CONFIG.model_copy(update={"learning_rate": 0.5})},
        {"loss": weights.CE()},
        {"model": tuned},
    ):
        given = {"model": model, "loss": loss, "config": CONFIG, "seed": 1} | change
        with pytest.raises(ConfigError, match="another model, config, loss, seed or corpus"):
            fine_tune(**given, tokenizer=tokenizer, pairs=pairs, film=film, folder=tmp_path)


def test_a_folder_of_somebody_else_is_not_trained_in(model, tokenizer, pairs, tmp_path):
    (tmp_path / "checkpoint-500").mkdir()
    (tmp_path / "checkpoint-500" / "trainer_state.json").write_text("{}")
    with pytest.raises(ConfigError, match="files that no run of this kind left"):
        fine_tune(model, tokenizer, pairs, weights.CE(), CONFIG, 1, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-500"]


def test_the_film_shows_what_the_model_thinks_and_disturbs_nothing(model, tokenizer, pairs, whole):
    film = whole[1].film
    assert film.columns.tolist() == finetune.FILM and film["step"].unique().tolist() == [0, 2, 4, 6]
    without = fine_tune(model, tokenizer, pairs, weights.Permuted(loss=weights.PerCE()), CONFIG, 1)
    assert torch.equal(vector(without[0]), vector(whole[0]))
    for step, scored in ((0, model), (6, whole[0])):
        scores = score_tokens(scored, tokenizer, pairs.head(3))
        both = scores.merge(film[film["step"] == step], on=["text", "position"], validate="1:1")
        assert len(both) == len(scores) == (film["step"] == step).sum()
        np.testing.assert_allclose(both["pir_x"], both["pir_y"], atol=2e-5)
        np.testing.assert_allclose(both["log_prob_with_x"], both["log_prob_with_y"], atol=2e-5)
        np.testing.assert_allclose(
            np.sort(both["weight"]), np.sort(both["pir_y"].clip(0.8, 5)), rtol=1e-6
        )
        np.testing.assert_allclose(
            both["loss"], -both["weight"] * both["log_prob_with_y"], rtol=1e-5
        )


def test_all_methods_see_the_same_texts_in_the_same_order(model, tokenizer, pairs, monkeypatch):
    seen, call = [], finetune.Collator.__call__
    monkeypatch.setattr(
        finetune.Collator,
        "__call__",
        lambda self, rows: seen.append([r["text"] for r in rows]) or call(self, rows),
    )
    config = FineTuneConfig(steps=3, batch_size=5)
    for loss, seed in (
        (weights.CE(), 1),
        (weights.Permuted(loss=weights.PerCE()), 1),
        (weights.CE(), 2),
    ):
        fine_tune(model, tokenizer, pairs, loss, config, seed)
    each = [seen[i : i + len(seen) // 3] for i in range(0, len(seen), len(seen) // 3)]
    assert each[0] == each[1] != each[2]


def test_a_loss_from_a_cell_is_trained_with(model, tokenizer, pairs):
    class Mine:
        name = "mine"

        def weights(self, tokens):
            return tokens.pir.abs() + 1

    record = fine_tune(model, tokenizer, pairs, Mine(), FineTuneConfig(steps=1))[1]
    assert record.loss == "mine" and record.steps["loss"].iloc[0] > 0


@pytest.mark.parametrize(
    "loss",
    ["PerCE", weights.PerCE, None, lambda tokens: 1],
    ids=["name", "class", "nothing", "function"],
)
def test_what_is_no_loss_is_refused_before_the_model_is_copied(model, tokenizer, pairs, loss):
    class Mine:
        name, weights = "mine", lambda self, tokens: 1

    class Uncopied:
        config = model.config

        def __deepcopy__(self, _):
            raise AssertionError("copied")

    for one in (loss, Mine):
        with pytest.raises(ConfigError, match=r"no name or no weights.*weights.PerCE\(\)"):
            fine_tune(Uncopied(), tokenizer, pairs, one, FineTuneConfig(steps=1))
        with pytest.raises(ConfigError, match="no name or no weights"):
            Objective(model, one)


def test_tokens_that_the_model_does_not_know_are_named(model, tokenizer, pairs):
    grown, config = copy.deepcopy(tokenizer), FineTuneConfig(steps=1)
    grown.add_tokens(["<persona-of>"])
    asked = pairs.assign(prompt_without="<s><query>a <persona-of> b<response>")
    with pytest.raises(ModelError, match=r"'<persona-of>'.*resize_token_embeddings"):
        fine_tune(model, grown, asked, weights.PerCE(), config)
    filming = FineTuneConfig(steps=1, film_every=1)
    with pytest.raises(ModelError, match=r"'<persona-of>'.*resize_token_embeddings"):
        fine_tune(model, grown, pairs, weights.PerCE(), filming, film=asked)
    grown = copy.deepcopy(tokenizer)
    grown.add_special_tokens({"pad_token": "[PAD]"})
    with pytest.raises(ModelError, match=r"'\[PAD\]'.*resize_token_embeddings"):
        fine_tune(model, grown, pairs, weights.PerCE(), config)
    wide = copy.deepcopy(model)
    wide.resize_token_embeddings(len(grown))
    assert len(fine_tune(wide, grown, pairs, weights.PerCE(), config)[1].steps) == 1


def test_bad_input(model, tokenizer, pairs):
    with pytest.raises(ValidationError):
        FineTuneConfig(epochs=3)
    with pytest.raises(ConfigError, match="no column 'personal'"):
        fine_tune(model, tokenizer, pairs, weights.Oracle(), FineTuneConfig(steps=1))
    broken = make_model(
        PocketConfig(hidden=16, layers=1, heads=2, feed_forward=24, context=128), tokenizer
    )
    with torch.no_grad():
        broken.lm_head.weight[0, 0] = torch.nan
    with pytest.raises(ModelError, match="no finite loss"):
        fine_tune(broken, tokenizer, pairs, weights.PerCE(), FineTuneConfig(steps=1))
