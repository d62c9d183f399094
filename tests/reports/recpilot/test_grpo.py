"""GRPO: advantages and gradient against independent computation, the first ratio, skipped groups, runs
that are stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")
from workbench.data import Interactions  # noqa: E402
from workbench.errors import ConfigError, ModelError  # noqa: E402
from workbench.reports.recpilot._grpo_run import GRPOConfig, asked_at, identity_of  # noqa: E402
from workbench.reports.recpilot._sizes import SupervisedTraining  # noqa: E402
from workbench.reports.recpilot.grpo import advantages, grpo, objective  # noqa: E402
from workbench.reports.recpilot.rewards import RewardConfig, Rewards  # noqa: E402
from workbench.reports.recpilot.simulator import Simulator, SimulatorConfig  # noqa: E402
from workbench.reports.recpilot.visits import Visits, visits_of  # noqa: E402

SMALL = {"hidden": 8, "inner": 16, "layers": 1, "heads": 2, "head_size": 4, "longest": 10}
FEW = GRPOConfig(steps=4, shoppers=3, group=4)


def small_log() -> Interactions:
    """Eight shoppers, six products; three visits each: two looks and a purchase."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(8):
        for visit in range(3):
            one, two = rng.choice(6, 2, replace=False)
            for item, action in ((one, "view"), (two, "view"), (one, "cart"), (one, "purchase")):
                rows.append((f"u{user}", f"i{item}", 10 * user + visit, action))
    table = pd.DataFrame(rows, columns=["user", "item", "session", "action"])
    table["timestamp"] = np.arange(len(table)) + 1_600_000_000
    names = {name: name for name in ("timestamp", "session", "action")}
    return Interactions.from_table(table, **names)


VISITS = visits_of(small_log())


def simulator(**given) -> Simulator:
    """One with its first weights."""
    from workbench.reports.recpilot.grammar import Vocabulary

    held = VISITS.trajectories
    vocabulary = Vocabulary(held.actions, held.n_items)
    return Simulator(SimulatorConfig(**SMALL | given)).make(vocabulary, held.bound)


def rewards(model: Simulator, fault: float | None = None) -> Rewards:
    vectors = np.random.default_rng(1).normal(size=(6, 3))
    if fault is not None:
        vectors[:] = fault
    return Rewards(vectors, model.vocabulary)


# --- advantages and objective -----------------------------------------------------------------------


def test_advantages_of_a_made_up_group():
    values, kept = advantages(torch.tensor([[1.0, 2.0, 3.0, 2.0]], dtype=torch.float64))
    assert kept.tolist() == [True]
    assert values[0].numpy() == pytest.approx(np.array([-1, 0, 1, 0]) / np.sqrt(0.5), abs=1e-5)


def test_advantages_have_mean_zero_and_deviation_one():
    values, _ = advantages(torch.randn(5, 8, dtype=torch.float64))
    assert values.mean(dim=1).numpy() == pytest.approx(0, abs=1e-12)
    assert values.std(dim=1, correction=0).numpy() == pytest.approx(1, abs=1e-5)


def test_a_group_of_one_reward_is_marked():
    values, kept = advantages(torch.tensor([[0.7] * 8, [0.7] * 7 + [0.8]]))
    assert kept.tolist() == [False, True] and values[0].tolist() == [0.0] * 8


def by_hand(new, drawn, reference, advantage, config) -> np.ndarray:
    """Equation 10, a visit at a time, in plain numbers."""
    found = np.empty(advantage.shape)
    for place in np.ndindex(*advantage.shape):
        ratio = np.exp(new[place].sum() - drawn[place].sum())
        clipped = min(max(ratio, 1 - config.clip), 1 + config.clip)
        kl = 0.0
        for ours, theirs in zip(new[place], reference[place], strict=True):
            kl += np.exp(theirs) / np.exp(ours) - np.log(np.exp(theirs) / np.exp(ours)) - 1
        gain = min(ratio * advantage[place], clipped * advantage[place])
        found[place] = gain - config.kl * kl
    return found


def test_the_objective_is_equation_10():
    rng = np.random.default_rng(3)
    new, drawn, reference = (-rng.exponential(0.4, (3, 4, 5)) for _ in range(3))
    advantage = rng.normal(size=(3, 4))
    for config in (GRPOConfig(), GRPOConfig(clip=0.05, kl=0.5)):
        told = [torch.from_numpy(part) for part in (new, drawn, reference, advantage)]
        found, ratio, _ = objective(*told, config)
        assert found.numpy() == pytest.approx(by_hand(new, drawn, reference, advantage, config))
        assert (np.abs(ratio.numpy() - 1) > config.clip).any()  # the clip was needed


class Tiny(torch.nn.Module):
    """A recurrent policy of seven tokens, in double precision (T5 computes its norms in single)."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = torch.nn.Embedding(7, 4)
        self.cell = torch.nn.GRU(4, 4, batch_first=True)
        self.double()

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """log p of every token, 0 on padding."""
        before = torch.cat([torch.ones_like(tokens[..., :1]), tokens[..., :-1]], dim=-1)
        states = self.cell(self.table(before.flatten(0, 1)))[0]
        logits = (states @ self.table.weight.T).reshape(*tokens.shape, 7)
        said = torch.log_softmax(logits, dim=-1).gather(-1, tokens[..., None])[..., 0]
        return said.masked_fill(tokens == 0, 0.0)


@pytest.mark.parametrize("config", [GRPOConfig(kl=0.0), GRPOConfig(kl=0.3), GRPOConfig(clip=0.5)])
def test_the_gradient_is_that_of_finite_differences(config):
    module, rng = Tiny(), np.random.default_rng(2)
    tokens = torch.from_numpy(rng.integers(1, 7, (3, 4, 5)))
    tokens[:, ::2, 3:] = 0
    with torch.no_grad():
        first = module(tokens)
    # visits far enough from what drew them for the clip to act, others near
    apart, other = (torch.from_numpy(rng.normal(0, s, first.shape)) for s in (0.15, 0.4))
    drawn, reference = (first + part * (tokens != 0) for part in (apart, other))
    advantage, kept = advantages(torch.from_numpy(rng.normal(size=(3, 4))))
    assert kept.all()

    def value() -> torch.Tensor:
        return objective(module(tokens), drawn, reference, advantage, config)[0].mean()

    value().backward()
    with torch.no_grad():
        ratio = objective(first, drawn, reference, advantage, config)[1]
    clipped = (ratio - 1).abs() > config.clip
    assert clipped.any() and not clipped.all()
    for weight in module.parameters():
        flat, slopes = weight.data.view(-1), weight.grad.view(-1).tolist()
        for place, slope in enumerate(slopes):
            ends = []
            for step in (1e-6, -1e-6):
                flat[place] += step
                with torch.no_grad():
                    ends.append(float(value()))
                flat[place] -= step
            assert slope == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-8, rel=1e-5)


# --- runs -------------------------------------------------------------------------------------------


def test_the_first_ratio_is_1_with_dropout_off_and_is_not_with_it_on():
    model = simulator()
    for dropout, near in ((False, True), (True, False)):
        config = FEW.model_copy(update={"dropout": dropout, "steps": 1})
        _, log = grpo(model, VISITS, rewards(model), config)
        assert (log["ratio_off"][0] < 1e-4) == near


def test_groups_of_one_reward_change_no_weight():
    model = simulator()
    same = Same(np.eye(6), model.vocabulary)
    trained, log = grpo(model, VISITS, same, FEW.model_copy(update={"kl": 10.0}))
    assert (log["skipped"] == FEW.shoppers).all()
    assert equal(trained, model)


class Same(Rewards):
    """Everybody earns the same."""

    def total(self, terms, without=()):
        return np.full_like(terms["outcome"], 0.3)


def equal(one: Simulator, two: Simulator) -> bool:
    pairs = zip(one.module.parameters(), two.module.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_a_skipped_group_adds_nothing_to_the_others():
    """The gradient with a group of one reward beside it is that without the group."""
    new = torch.tensor([[[-1.0], [-2.0]], [[-1.5], [-0.5]]], requires_grad=True)
    told = torch.tensor([[0.0, 1.0], [0.4, 0.4]])
    advantage, kept = advantages(told)
    gain, _, _ = objective(new, new.detach(), new.detach() - 1.0, advantage, GRPOConfig(kl=1.0))
    gain[kept].mean().backward()
    assert new.grad[1].abs().max() == 0 and new.grad[0].abs().min() > 0


def test_the_supervised_model_stays_as_it_was():
    model, before = simulator(), simulator()
    trained, log = grpo(model, VISITS, rewards(model), FEW)
    assert equal(model, before) and not equal(trained, model)
    assert log["kl"][0] < 1e-5 < log["kl"].iloc[-1] and len(log) == FEW.steps
    assert not trained.module.training


def test_what_is_rewarded_gets_likelier():
    """A reward for short visits makes them shorter."""
    model = simulator()
    config = GRPOConfig(steps=60, shoppers=8, group=8, learning_rate=5e-3, kl=0.0, grammar=True)
    _, log = grpo(model, VISITS, Short(np.eye(6), model.vocabulary), config)
    first, last = log["total"].head(10).mean(), log["total"].tail(10).mean()
    assert last > first + 1


class Short(Rewards):
    """The fewer rows the better."""

    def terms(self, drawn, real, users=()):
        rows = (drawn >= self.vocabulary.items_from).sum(axis=2)
        return super().terms(drawn, real, users) | {"outcome": -rows.astype(float)}

    def total(self, terms, without=()):
        return terms["outcome"]


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, monkeypatch):
    monkeypatch.setitem(grpo.__wrapped__.__globals__, "EVERY", 2)
    model = simulator()
    whole, log = grpo(model, VISITS, rewards(model), FEW)

    calls = iter(range(3))

    class Stops(Rewards):
        def total(self, terms, without=()):
            if not without and next(calls, None) is None:
                raise KeyboardInterrupt
            return super().total(terms, without)

    cut = Stops(rewards(model).vectors, model.vocabulary)
    with pytest.raises(KeyboardInterrupt):
        grpo(model, VISITS, cut, FEW, tmp_path)
    again, second = grpo(model, VISITS, rewards(model), FEW, tmp_path)
    assert equal(again, whole)
    pd.testing.assert_frame_equal(second.drop(columns="seconds"), log.drop(columns="seconds"))
    assert len(grpo(model, VISITS, rewards(model), FEW, tmp_path)[1]) == FEW.steps  # nothing to do


def test_a_folder_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    model = simulator()
    grpo(model, VISITS, rewards(model), FEW, tmp_path)
    with pytest.raises(ConfigError, match="another config"):
        grpo(model, VISITS, rewards(model), FEW.model_copy(update={"kl": 0.5}), tmp_path)
    with pytest.raises(ConfigError, match="another config"):
        grpo(simulator(auxiliary=0.0), VISITS, rewards(model), FEW, tmp_path)
    (tmp_path / "checkpoint.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ModelError, match="no checkpoint"):
        grpo(model, VISITS, rewards(model), FEW, tmp_path)


def other_visits() -> Visits:
    """Of the same shoppers and sessions, with one product for another in what came before."""
    before = VISITS.histories
    return replace(VISITS, histories=replace(before, item=(before.item + 1) % before.n_items))


OTHERS = {
    "settings of the simulator": lambda run: run | {"simulator": simulator(longest=12)},
    "weights": lambda run: run | {"simulator": simulator(training=SupervisedTraining(seed=2))},
    "rows": lambda run: run | {"visits": other_visits()},
    "shop": lambda run: (
        run | {"visits": replace(VISITS, histories=replace(VISITS.histories, bound="b" * 64))}
    ),
    "vectors": lambda run: run | {"rewards": replace(run["rewards"], vectors=np.eye(6))},
    "unseen": lambda run: run | {"rewards": replace(run["rewards"], unseen=np.eye(6))},
    "terms": lambda run: (
        run | {"rewards": replace(run["rewards"], config=RewardConfig(length=False))}
    ),
    "seed": lambda run: run | {"config": FEW.model_copy(update={"seed": 2})},
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_folder_belongs_to_one_simulator_log_reward_and_seed(other):
    model = simulator()
    run = {"simulator": model, "visits": VISITS, "rewards": rewards(model), "config": FEW}
    assert identity_of(**OTHERS[other](run)) != identity_of(**run)
    # made anew, and read from in between, it is the same
    _ = VISITS.histories.rows
    again = run | {"simulator": simulator(), "visits": replace(VISITS)}
    assert identity_of(**again) == identity_of(**run)


def test_a_folder_of_other_rows_is_refused_and_left_as_it_is(tmp_path):
    model = simulator()
    few = FEW.model_copy(update={"steps": 1})
    grpo(model, VISITS, rewards(model), few, tmp_path)
    kept = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ConfigError, match="another config or log"):
        grpo(model, other_visits(), rewards(model), few, tmp_path)
    assert (tmp_path / "checkpoint.pt").read_bytes() == kept


def test_a_reward_that_is_no_number_stops_the_run_and_leaves_the_model(tmp_path):
    model, before = simulator(), simulator()
    with pytest.raises(ModelError, match=r"process of visit \d of shopper \d+ is nan"):
        grpo(model, VISITS, rewards(model, fault=np.nan), FEW, tmp_path)
    assert equal(model, before) and not [*tmp_path.iterdir()]


def test_every_visit_is_asked_once_an_epoch():
    asked = np.concatenate([asked_at(step, 10, 4, seed=3) for step in range(5)])
    assert sorted(asked[:10]) == sorted(asked[10:]) == list(range(10))
    assert asked[:10].tolist() != asked[10:].tolist()
    assert asked_at(2, 10, 4, seed=3).tolist() == asked[8:12].tolist()
