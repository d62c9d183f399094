"""BPR, LightGCN and SGL: every equation against a plain loop, every gradient against finite
differences."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import ITEMS, make, random_log, rows

from workbench.data import Interactions
from workbench.errors import ModelError, UnknownUser
from workbench.recommend import BPR, SGL, LightGCN, Trained
from workbench.recommend.collaborative._graph import Graph, uniform
from workbench.recommend.collaborative._pairs import NegativeSampler, Pairs, pairwise, penalty
from workbench.recommend.training import Training

KINDS = [BPR, LightGCN, SGL]
QUICK = Training(epochs=3, batch=64, seed=5, learning_rate=0.01)
LOG = random_log(users=20, items=15, n=150)
# a cell of one row: the row is the edge
CELL = LOG.frame.drop_duplicates(["user", "item"], keep=False).iloc[0]


def small(kind, **changes):
    return kind(kind.Config(**{"embedding": 6, "training": QUICK, **changes}))


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.__name__)
def model(request):
    extra = {} if request.param is BPR else {"l2": 0.05}
    return small(request.param, **(extra or {"l2": 0.02})).fit(LOG)


def weights(model):
    return {
        name: value.detach().numpy().copy() for name, value in model.module.state_dict().items()
    }


# --- examples


@given(rows, st.integers(0, 9))
def test_pairs_are_rows_and_negatives_are_not_held(table, seed):
    log = make(table)
    model = BPR(BPR.Config(training=Training(seed=seed)))
    pairs = model.examples(log)
    held = set(table)
    full = {
        user for user in range(6) if sum((user, item) in held for item in range(ITEMS)) == ITEMS
    }
    frame = log.frame.set_index("interaction")
    assert [*frame.index[~frame["user"].isin(full)]] == [*pairs.interaction]
    assert [*frame.index[frame["user"].isin(full)]] == [*pairs.left_out]
    for user, positive, negative, row in zip(
        pairs.user, pairs.positive, pairs.negative, pairs.interaction, strict=True
    ):
        assert (user, positive) == tuple(frame.loc[row, ["user", "item"]])
        assert 0 <= negative < ITEMS and (user, negative) not in held
    few = model.examples(log, users=np.array([1, 4]))
    chosen = np.isin(pairs.user, [1, 4])
    for name in ("user", "positive", "negative", "interaction"):
        assert np.array_equal(getattr(few, name), getattr(pairs, name)[chosen])


def test_negatives_are_uniform_among_the_items_not_held():
    log = make([(0, 1), (0, 4), (0, 4), (3, 0)])
    drawn = NegativeSampler.of(log).draw(np.zeros(40_000, np.int64), np.arange(40_000), (1, 2))
    counts = np.bincount(drawn, minlength=ITEMS)
    assert counts[[1, 4]].sum() == 0
    free = counts[[0, 2, 3, 5, 6]]
    assert ((free - 8_000) ** 2 / 8_000).sum() < 23.5  # χ² with 4 degrees of freedom, p = 1e-4


def test_draws_depend_on_row_and_seed_alone():
    keys = np.arange(50_000)
    values = uniform(keys, (3, 1))
    assert values.min() >= 0 and values.max() < 1 and abs(values.mean() - 0.5) < 0.01
    assert np.array_equal(uniform(keys[::-7], (3, 1)), values[::-7])
    assert abs(np.corrcoef(values, uniform(keys, (3, 2)))[0, 1]) < 0.02
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.02
    model, gone = small(BPR), LOG.frame["interaction"][LOG.frame["user"] == 3]
    before, after = model.examples(LOG), model.examples(LOG.without(gone))
    assert np.array_equal(before.negative[~np.isin(before.interaction, gone)], after.negative)


def test_negatives_of_other_pairs_are_kept_where_they_can_be():
    model, users = small(BPR), np.array([3, 4, 5])
    before, own = model.examples(LOG, users), LOG.frame[LOG.frame["user"].isin(users)]
    left = LOG.without(own.groupby("user")["interaction"].head(2))
    fresh, after = model.examples(left, users), model.examples(left, users, like=before)
    stays = np.isin(before.interaction, after.interaction)
    assert np.array_equal(after.interaction, fresh.interaction) and len(after) == len(before) - 6
    assert np.array_equal(after.negative, before.negative[stays])
    # a user's own removal moves the draws
    assert not np.array_equal(fresh.negative, before.negative[stays])
    log = Interactions.from_table(
        pd.DataFrame({"user": 0, "item": [0, 1]}), items=pd.Index(range(4))
    )
    old = Pairs(
        *(
            np.array(part)
            for part in ([0, 0, 0], [0, 0, 1], [2, 1, 3], [7, *log.frame["interaction"]])
        )
    )
    like = model.examples(log, like=old)  # 1 is held by now: drawn anew; row 7 is not in this log
    assert like.negative.tolist() == [model.examples(log).negative[0], 3]
    nobody = model.examples(log, np.array([], np.int64))
    assert np.array_equal(model.examples(log, like=nobody).negative, model.examples(log).negative)


def test_epochs_draw_other_negatives_and_batches_hold_every_pair_once():
    pairs, unheld = small(BPR).examples(LOG), NegativeSampler.of(LOG)
    assert (unheld.draw(pairs.user, pairs.interaction, (5, 1)) != pairs.negative).mean() > 0.5
    batches = list(pairs.batches(64, (5, 1)))
    assert [len(batch) for batch in batches] == [64, 64, 22]
    assert sorted(np.concatenate([batch.interaction for batch in batches])) == sorted(
        pairs.interaction
    )


def test_a_log_in_which_everybody_holds_everything_cannot_be_trained_on():
    log = make([(user, item) for user in range(6) for item in range(ITEMS)])
    with pytest.raises(ModelError, match="nothing to train on"):
        small(BPR).fit(log)


# --- equations


def tables(n_users=7, n_items=9, d=4):
    torch.manual_seed(1)
    made = (torch.randn(n, d, dtype=torch.float64, requires_grad=True) for n in (n_users, n_items))
    pairs = Pairs(
        *(np.random.default_rng(0).integers(0, n, 30) for n in (n_users, n_items, n_items, 99))
    )
    return *made, pairs


def test_the_hand_written_gradient_is_autograds():
    users, items, pairs = tables()
    u, i, j = pairs.tensors()

    def plain(users, items):
        return -torch.nn.functional.logsigmoid((users[u] * (items[i] - items[j])).sum(dim=1))

    def derivatives(function):
        losses = function(users, items)
        weight = torch.linspace(0.5, 2, len(losses), dtype=losses.dtype)
        first = torch.autograd.grad((losses * weight).sum(), (users, items), create_graph=True)
        second = torch.autograd.grad(sum((g**3).sum() for g in first), (users, items))
        return [losses, *first, *second]

    for hand, own in zip(
        derivatives(lambda a, b: pairwise(a, b, pairs)), derivatives(plain), strict=True
    ):
        assert torch.allclose(hand, own, rtol=0, atol=1e-12)
    assert torch.autograd.gradgradcheck(lambda a, b: pairwise(a, b, pairs), (users, items))
    # the way of training: no graph
    once = torch.autograd.grad(pairwise(users, items, pairs).sum(), (users, items))
    twice = torch.autograd.grad(
        pairwise(users, items, pairs).sum(), (users, items), create_graph=True
    )
    assert all(torch.equal(a, b) for a, b in zip(once, twice, strict=True))


def dense(log: Interactions, kept=None) -> np.ndarray:
    """Â of the paper, without a sparse matrix."""
    x = log.matrix().toarray() if kept is None else log.matrix().toarray() * kept
    n_users, n_items = x.shape
    a = np.zeros((n_users + n_items,) * 2)
    a[:n_users, n_users:], a[n_users:, :n_users] = x, x.T
    degree = a.sum(axis=1)
    root = np.array([1 / math.sqrt(d) if d else 0.0 for d in degree])
    return root[:, None] * a * root


def propagated(
    a: np.ndarray, users: np.ndarray, items: np.ndarray, layers: int
) -> tuple[np.ndarray, np.ndarray]:
    e = np.concatenate([users, items])
    mean = sum(np.linalg.matrix_power(a, layer) @ e for layer in range(layers + 1)) / (layers + 1)
    return mean[: len(users)], mean[len(users) :]


@given(rows, st.integers(0, 3))
@settings(max_examples=25)
def test_lightgcn_propagates_as_the_dense_formula(table, layers):
    if not layers:
        layers = 1
    log = make(table)
    model = small(LightGCN, layers=layers)
    model.start(log)
    model.module.double()
    own = [model.module.user.weight.detach().numpy(), model.module.item.weight.detach().numpy()]
    want = propagated(dense(log), *own, layers)
    for made, truth in zip(model.tables(), want, strict=True):
        assert np.allclose(made.detach().numpy(), truth, rtol=0, atol=1e-12)


def test_regularisation_is_on_layer_0():
    users, items, pairs = tables()
    p, q = users.detach().numpy(), items.detach().numpy()
    for row, value in enumerate(penalty(users, items, pairs).tolist()):
        u, i, j = pairs.user[row], pairs.positive[row], pairs.negative[row]
        assert value == pytest.approx(
            ((p[u] ** 2).sum() + (q[i] ** 2).sum() + (q[j] ** 2).sum()) / 2
        )
    for kind in KINDS:
        without, heavy = (small(kind, l2=l2).start(LOG) for l2 in (0, 0.5))
        heavy.module.load_state_dict(without.module.state_dict())
        examples = without.examples(LOG)
        more = heavy.loss(examples) - without.loss(examples)
        layer_0 = 0.5 * penalty(heavy.module.user.weight, heavy.module.item.weight, examples)
        assert torch.allclose(more, layer_0, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("source", "epoch"), [("batch", 2), ("all", 2), ("batch", None)])
def test_sgl_contrasts_as_a_plain_loop(source, epoch):
    model = small(SGL, layers=2, drop=0.3, temperature=0.5, ssl=0.7, negatives_from=source, l2=0.0)
    model.start(LOG)
    model.module.double()
    model.begin(None if epoch is None else (5, epoch))
    examples = model.examples(LOG).select(slice(0, 40))
    p, q = (model.module.user.weight.detach().numpy(), model.module.item.weight.detach().numpy())
    codes = np.arange(LOG.n_users * LOG.n_items).reshape(LOG.n_users, LOG.n_items)
    views = [
        propagated(
            dense(LOG, uniform(codes.ravel(), (5, time, view)).reshape(codes.shape) >= 0.3), p, q, 2
        )
        for time, view in ((0 if epoch is None else epoch + 1, view) for view in (1, 2))
    ]
    contrast = np.zeros(len(examples))
    for side, nodes in enumerate((examples.user, examples.positive)):
        # Outside of training the contrast is with all nodes, whatever the batch.
        others = (
            sorted(set(nodes))
            if source == "batch" and epoch is not None
            else range(len((p, q)[side]))
        )

        def like(a, b, side=side):
            first, second = views[0][side][a], views[1][side][b]
            return math.exp(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)) / 0.5)

        for row, a in enumerate(nodes):
            s = -math.log(like(a, a) / sum(like(a, b) for b in others))
            contrast[row] += s  # every pair in full, also where others have the same node
    pairs = pairwise(*model.tables(), examples).detach().numpy()
    assert np.allclose(
        model.loss(examples).detach().numpy(), pairs + 0.7 * contrast, rtol=0, atol=1e-10
    )


def test_views_lose_a_share_of_the_edges_and_a_removal_takes_only_its_own():
    log = random_log(users=60, items=40, n=1500)
    graph, like = Graph.of(log), torch.zeros(1)
    size = graph.cells.nnz
    view = graph.dropped(0.2, (1, 4, 1), like).to_dense() > 0
    assert abs(view.sum().item() / (2 * size) - 0.8) < 0.05
    assert not torch.equal(view, graph.dropped(0.2, (1, 5, 1), like).to_dense() > 0)
    assert torch.equal(graph.dropped(0.0, (1,), like).to_dense(), graph.adjacency(like).to_dense())
    gone = log.frame[(log.frame["user"] == 2)]["interaction"]
    left = Graph.of(log.without(gone)).dropped(0.2, (1, 4, 1), like).to_dense() > 0
    view[2, :], view[:, 2] = False, False
    assert torch.equal(left, view)


# --- derivatives


def test_hessian_vector_products_are_finite_differences(model):
    twin = model.copy()
    twin.module.double()
    examples, parameters = twin.examples(LOG), list(twin.module.parameters())
    torch.manual_seed(0)
    direction = [torch.randn_like(p) for p in parameters]

    def gradient():
        return torch.autograd.grad(twin.loss(examples).sum(), parameters, create_graph=True)

    first = gradient()
    along = sum((g * d).sum() for g, d in zip(first, direction, strict=True))
    product = torch.autograd.grad(along, parameters)
    sides = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p.add_(d, alpha=step)
        sides.append([g.detach() for g in gradient()])
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p.sub_(d, alpha=step)
    for have, up, down in zip(product, *sides, strict=True):
        want = (up - down) / 2e-5
        assert (have - want).norm() <= 1e-6 * max(1.0, want.norm())
        assert want.norm() > 0


def test_losses_of_the_pairs_sum_to_the_objective_and_never_change(model):
    examples = model.examples(LOG)
    losses = model.loss(examples)
    assert losses.shape == (len(examples),) and torch.equal(losses, model.loss(examples))
    alone = torch.cat([model.loss(examples.select(np.array([row]))) for row in range(12)])
    assert torch.allclose(alone, losses[:12], atol=1e-6)  # a pair's loss knows no other pair
    twin = model.copy()
    twin.module.double()
    users = [twin.loss(twin.examples(LOG, np.array([user]))).sum() for user in range(LOG.n_users)]
    assert abs(sum(users) - twin.loss(examples).sum()).item() < 1e-10
    total = torch.autograd.grad(model.loss(examples).sum(), list(model.module.parameters()))
    parts = [
        torch.autograd.grad(loss, list(model.module.parameters()), retain_graph=True)
        for loss in losses
    ]
    for position, whole in enumerate(total):
        assert torch.allclose(sum(part[position] for part in parts), whole, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_training_lowers_the_loss(kind):
    gentle = {"ssl": 0.005, "temperature": 0.5} if kind is SGL else {}
    training = QUICK.model_copy(update={"epochs": 15})
    record = small(kind, training=training, **gentle).fit(LOG).record
    assert record["loss"].iloc[-1] < 0.95 * record["loss"].iloc[0]


def test_sgl_without_contrast_is_lightgcn():
    sgl, lightgcn = small(SGL, ssl=0.0, layers=3).fit(LOG), small(LightGCN, layers=3).fit(LOG)
    for name, value in weights(lightgcn).items():
        assert np.array_equal(weights(sgl)[name], value)


def test_a_user_without_rows_has_no_losses(model):
    nothing = model.loss(model.examples(LOG, np.array([], np.int64)))
    assert nothing.shape == (0,)
    first = torch.autograd.grad(nothing.sum(), list(model.module.parameters()), create_graph=True)
    assert all(not part.any() for part in first)
    model.copy().loss(model.examples(LOG.without(LOG.frame["interaction"]))).sum().backward()


# --- the protocol


def test_same_seed_same_weights(model):
    again = type(model)(model.config).fit(LOG)
    for name, value in weights(model).items():
        assert np.array_equal(value, weights(again)[name])
    training = QUICK.model_copy(update={"seed": 6})
    other = type(model)(model.config.model_copy(update={"training": training})).fit(LOG)
    assert not np.array_equal(weights(model)["user.weight"], weights(other)["user.weight"])
    assert isinstance(model, Trained) and not model.module.training


def test_saved_and_loaded_scores_and_losses_are_identical(model, tmp_path):
    histories, examples = LOG.histories(), model.examples(LOG)
    model.save(tmp_path / "m")
    state = torch.random.get_rng_state()
    loaded = type(model).load(tmp_path / "m")
    # the caller's own draws go on as if nothing was loaded
    assert torch.equal(torch.random.get_rng_state(), state)
    assert loaded.config == model.config and model.score(histories).dtype == np.float32
    assert np.array_equal(loaded.score(histories), model.score(histories))
    assert torch.equal(loaded.loss(examples), model.loss(examples))
    other = next(kind for kind in KINDS if kind is not type(model))
    with pytest.raises(ModelError, match=type(model).__name__):
        other.load(tmp_path / "m")


def test_scores_are_represent_times_items(model):
    histories = LOG.histories([4, 0, 4])
    users, (_, items) = model.represent(histories), model.tables()
    assert users.requires_grad and users.shape == (3, 6)
    assert np.allclose((users @ items.T).detach().numpy(), model.score(histories), atol=1e-6)
    empty = replace(histories, user=np.array([4, 20, 0], np.int32))
    with pytest.raises(UnknownUser, match="20"):
        model.score(empty)
    with pytest.raises(ModelError, match="7 items"):
        model.score(make([(0, 0)]).histories())


def test_a_copy_is_independent_and_every_change_of_weights_is_seen(model):
    histories = LOG.histories()
    before, twin = model.score(histories).copy(), model.copy()
    assert np.array_equal(twin.score(histories), before)
    twin.module.item.weight.data.mul_(-1)  # the way that leaves no trace in autograd's counters
    assert not np.allclose(twin.score(histories), before)
    twin.module.user.weight.data.mul_(-1)
    assert np.allclose(twin.score(histories), before, atol=1e-6)
    assert np.array_equal(model.score(histories), before)


def test_rebuild_changes_the_graph_alone(model):
    twin, gone, histories = model.copy(), LOG.only([int(CELL["interaction"])]), LOG.histories()
    before = twin.score(histories).copy()
    assert twin.rebuild(LOG.without(gone.frame["interaction"])) is twin
    for name, value in weights(model).items():
        assert np.array_equal(value, weights(twin)[name])
    assert np.array_equal(model.score(histories), before)
    if isinstance(model, BPR):
        assert np.array_equal(twin.score(histories), before)
        return
    assert not np.array_equal(twin.score(histories), before)
    assert not np.array_equal(
        twin.loss(twin.examples(LOG)).detach(), model.loss(model.examples(LOG)).detach()
    )
    assert np.array_equal(twin.rebuild(LOG).score(histories), before)
    with pytest.raises(ModelError, match="6 users"):
        twin.rebuild(make([(0, 0)]))


@pytest.mark.parametrize("kind", [LightGCN, SGL])
def test_deleted_edges_carry_nothing(kind):
    log = make([(0, 1), (0, 2), (1, 2), (1, 3), (4, 5)])
    model = small(kind).fit(log)
    far = {name: getattr(model.module, name).weight for name in ("user", "item")}

    def reach(from_item, to_user):
        users, _ = model.tables()
        return (
            torch.autograd.grad(users[to_user].sum(), far["item"])[0][from_item].abs().sum().item()
        )

    assert reach(1, 0) > 0 and reach(3, 4) == 0
    ids = log.frame.query("user == 0 and item == 1")["interaction"]
    model.rebuild(log.without(ids))
    assert reach(1, 0) == 0 and reach(2, 0) > 0


def test_parameter_groups_name_every_parameter_once(model):
    groups = model.parameter_groups()
    named = [id(parameter) for group in groups.values() for parameter in group]
    assert sorted(groups) == ["items", "shared", "users"]
    assert sorted(named) == sorted(id(parameter) for parameter in model.module.parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_losses_that_are_no_numbers_stop_training(kind):
    training = Training(epochs=50, batch=8, learning_rate=1e30)
    with pytest.raises(ModelError, match="epoch"):
        small(kind, l2=1.0, training=training).fit(LOG)


@pytest.mark.parametrize("kind", KINDS)
def test_validation_keeps_the_best_epoch(kind):
    held_out = LOG.frame.groupby("user")["interaction"].last()
    training = QUICK.model_copy(
        update={"epochs": 12, "patience": 2, "metric": "recall", "k": 5, "learning_rate": 0.05}
    )
    model = small(kind, training=training).fit(LOG.without(held_out), LOG.only(held_out))
    record = model.record
    assert record["best"].sum() == 1 and record["validation"].notna().all()
    best = record.loc[record["best"], "epoch"].item()
    assert record["validation"].idxmax() == best and len(record) <= best + 3
    # what is left is what so many epochs make
    few = training.model_copy(update={"epochs": best + 1})
    again = small(kind, training=few).fit(LOG.without(held_out))
    assert np.array_equal(model.score(LOG.histories()), again.score(LOG.histories()))
    assert pd.api.types.is_float_dtype(record["loss"])


def test_unfitted_models_say_so():
    for kind in KINDS:
        with pytest.raises(ModelError, match="fit"):
            small(kind).score(LOG.histories())
        with pytest.raises(ModelError, match="fit"):
            small(kind).loss(small(kind).examples(LOG))
