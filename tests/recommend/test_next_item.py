"""GRU4Rec, NARM, SASRec and SR-GNN: each equals a slow loop over its paper's equations, and all
keep the same laws."""

from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from workbench import recommend
from workbench.data import Interactions, read_recbole, split
from workbench.errors import DataError, ModelError
from workbench.recommend import Trained, Training, evaluate
from workbench.recommend.collaborative.popularity import Popularity
from workbench.recommend.session import _additive as additive_file
from workbench.recommend.session._additive import additive
from workbench.recommend.session.gru4rec import GRU4Rec, GRU4RecConfig
from workbench.recommend.session.narm import NARM, NARMConfig
from workbench.recommend.session.sasrec import SASRec, SASRecConfig
from workbench.recommend.session.srgnn import SRGNN, SRGNNConfig

ONCE = Training(epochs=1, batch=16, seed=3)
SMALL = {
    GRU4Rec: lambda **more: GRU4RecConfig(
        **{"embedding": 4, "hidden": 5, "training": ONCE, **more}
    ),
    NARM: lambda **more: NARMConfig(**{"embedding": 4, "hidden": 5, "training": ONCE, **more}),
    SASRec: lambda **more: SASRecConfig(**{"hidden": 4, "inner": 6, "training": ONCE, **more}),
    SRGNN: lambda **more: SRGNNConfig(**{"hidden": 4, "training": ONCE, **more}),
}
every = pytest.mark.parametrize("kind", list(SMALL), ids=lambda kind: kind.__name__)


def random_sessions(seed=0, users=12, items=6, longest=9) -> Interactions:
    """Sessions of 1 to `longest` rows with many repeats, three actions."""
    rng = np.random.default_rng(seed)
    rows = [
        (user, item)
        for user in range(users)
        for item in rng.integers(0, items, rng.integers(1, longest + 1))
    ]
    frame = pd.DataFrame(rows, columns=["user", "item"])
    frame["action"] = rng.choice(["view", "cart", "purchase"], len(frame))
    return Interactions.from_table(frame)


def double(model):
    """Weights far from their first values, in float64."""
    torch.manual_seed(7)
    model.module.double()
    with torch.no_grad():
        for weight in model.module.parameters():
            weight += 0.5 * torch.randn_like(weight)
        model.module.item.weight[-1] = 0.0
        if model.module.action is not None:
            model.module.action.weight[-1] = 0.0
    return model


@cache
def cached(kind):
    return fitted(kind, random_sessions(4))


def fitted(kind, log, **more):
    return double(kind(SMALL[kind](**more)).fit(log))


# --- the papers' equations, one prefix at a time --------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru(w, x, name="gru"):
    """All states of one GRU layer without biases."""
    h, states = np.zeros(w[f"{name}.weight_hh_l0"].shape[1]), []
    for row in x:
        r, z, n = np.split(w[f"{name}.weight_ih_l0"] @ row, 3)
        ur, uz, un = np.split(w[f"{name}.weight_hh_l0"] @ h, 3)
        r, z = sigmoid(r + ur), sigmoid(z + uz)
        h = (1 - z) * np.tanh(n + r * un) + z * h
        states.append(h)
    return np.array(states)


def plain_gru4rec(w, x, nodes, config):
    return w["out.weight"] @ gru(w, x)[-1] + w["out.bias"]


def plain_narm(w, x, nodes, config):
    h = gru(w, x)
    c_l = sum(w["v"] @ sigmoid(w["a1.weight"] @ h[-1] + w["a2.weight"] @ h_j) * h_j for h_j in h)
    return w["b.weight"] @ np.concatenate([h[-1], c_l])


def norm(w, name, x):
    return (x - x.mean()) / np.sqrt(x.var() + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]


def plain_sasrec(w, x, nodes, config):
    d, size = config.hidden, config.hidden // config.heads
    x = np.sqrt(d) * x + w["position.weight"][: len(x)]
    for layer in range(config.layers):

        def linear(name, row, at=f"blocks.{layer}."):
            return w[f"{at}{name}.weight"] @ row + w[f"{at}{name}.bias"]

        made = [linear("queries_keys_values", norm(w, f"blocks.{layer}.norm", row)) for row in x]
        q, k, v = np.split(np.array(made), 3, axis=1)
        out = []
        for t, row in enumerate(x):
            read = np.zeros(d)
            for head in range(config.heads):
                part = slice(head * size, (head + 1) * size)
                weight = np.exp([q[t, part] @ k[j, part] / np.sqrt(size) for j in range(t + 1)])
                read[part] = sum(a * v[j, part] for j, a in enumerate(weight / weight.sum()))
            y = row + linear("out", read)
            inner = linear("inner", norm(w, f"blocks.{layer}.forward_norm", y))
            out.append(y + linear("outer", inner * (1 + erf(inner / np.sqrt(2))) / 2))
        x = np.array(out)
    return norm(w, "norm", x[-1])


def plain_srgnn(w, x, nodes, config):
    """The graph of one prefix, made as the authors make it: binary edges, rows divided by their
    degree."""
    names = sorted(set(nodes))
    alias = [names.index(node) for node in nodes]
    e = np.array([x[alias.index(i)] for i in range(len(names))])
    edges = np.zeros((len(names), len(names)))
    for u, v in pairwise(alias):
        edges[u, v] = 1
    a_in = edges.T / np.maximum(edges.sum(axis=0), 1)[:, None]
    a_out = edges / np.maximum(edges.sum(axis=1), 1)[:, None]
    told_in = a_in @ (e @ w["w_in.weight"].T + w["w_in.bias"])
    told_out = a_out @ (e @ w["w_out.weight"].T + w["w_out.bias"])
    state = []
    for a, own in zip(np.hstack([told_in, told_out]), e, strict=True):
        r, z, n = np.split(w["cell.weight_ih"] @ a + w["cell.bias_ih"], 3)
        ur, uz, un = np.split(w["cell.weight_hh"] @ own + w["cell.bias_hh"], 3)
        r, z = sigmoid(r + ur), sigmoid(z + uz)
        state.append((1 - z) * np.tanh(n + r * un) + z * own)
    rows = [state[i] for i in alias]
    c = w["w1.bias"]
    s_g = sum(
        w["q"] @ sigmoid(w["w1.weight"] @ rows[-1] + w["w2.weight"] @ row + c) * row for row in rows
    )
    return w["w3.weight"] @ np.concatenate([rows[-1], s_g])


PLAIN = {GRU4Rec: plain_gru4rec, NARM: plain_narm, SASRec: plain_sasrec, SRGNN: plain_srgnn}


def plain(model, items, actions):
    w = {name: weight.detach().numpy() for name, weight in model.module.state_dict().items()}
    items, actions = items[-model.config.max_length :], actions[-model.config.max_length :]
    x, nodes = w["item.weight"][items], list(items)
    if model.config.use_actions:
        x, nodes = x + w["action.weight"][actions], list(zip(items, actions, strict=True))
    return PLAIN[type(model)](w, x, nodes, model.config)


@every
@pytest.mark.parametrize("use_actions", [False, True])
def test_equals_the_equations_prefix_by_prefix(kind, use_actions):
    log = random_sessions()
    model = fitted(kind, log, use_actions=use_actions, max_length=7)
    histories = log.histories(np.unique(log.frame["user"]))
    cuts = histories.offsets[1:-1]
    parts = zip(np.split(histories.item, cuts), np.split(histories.action, cuts), strict=True)
    want = np.array([plain(model, items, actions) for items, actions in parts])
    got = model.represent(histories)
    assert got.dtype == torch.float64
    assert np.abs(got.detach().numpy() - want).max() < 1e-10


@every
@pytest.mark.parametrize(
    "options", [{"stride": 7}, {"stride": 2}, {"stride": 1}, {"prefixes": True}], ids=str
)
def test_losses_of_windows_equal_the_equations(kind, options):
    log = random_sessions(1)
    model = fitted(kind, log, max_length=7, use_actions=True, **options)
    examples = model.examples(log)
    table = model.module.item.weight[:-1].detach().numpy()
    place = {int(i): n for n, i in enumerate(log.frame["interaction"])}
    losses = model.loss(examples).detach().numpy()
    starts = np.repeat(examples.start, examples.end - examples.ask)
    for start, interaction, loss in zip(starts, examples.targets()[1], losses, strict=True):
        at = log.frame.iloc[place[int(interaction)]]
        before = log.frame[
            (log.frame["user"] == at["user"]) & (log.frame["position"] < at["position"])
        ]
        before = before[before["interaction"].isin(examples.interaction[start:])]
        codes = before["action"].cat.codes.to_numpy()
        scores = table @ plain(model, before["item"].to_numpy(), codes)
        assert (
            abs(
                np.log(np.exp(scores - scores.max()).sum())
                + scores.max()
                - scores[at["item"]]
                - loss
            )
            < 1e-9
        )


# --- laws -----------------------------------------------------------------------------------------


def by_target(model, log, **options):
    other = model.copy()
    other.config = model.config.model_copy(update=options)
    examples = other.examples(log)
    return dict(zip(examples.targets()[1].tolist(), other.loss(examples).tolist(), strict=True))


@every
def test_windows_and_prefixes_ask_the_same(kind):
    log = random_sessions(2)
    model = kind(SMALL[kind](max_length=5)).fit(log)
    prefixes, close = by_target(model, log, prefixes=True), by_target(model, log, stride=1)
    assert (
        prefixes.keys() == close.keys()
        and len(prefixes) == (log.frame.groupby("user").size() - 1).sum()
    )
    assert max(abs(prefixes[i] - close[i]) for i in prefixes) < 1e-5
    wide = kind(SMALL[kind](max_length=9)).fit(log)
    prefixes = by_target(wide, log, prefixes=True)
    for stride in (1, 4, None):
        assert (
            max(abs(loss - prefixes[i]) for i, loss in by_target(wide, log, stride=stride).items())
            < 1e-5
        )


@every
def test_company_and_padding_change_nothing(kind):
    log = random_sessions(3)
    model, histories = fitted(kind, log), log.histories(np.unique(log.frame["user"]))
    together = model.represent(histories)
    for row in range(len(histories)):
        assert torch.allclose(
            model.represent(histories.select(np.array([row])))[0], together[row], rtol=0, atol=1e-12
        )


@every
@settings(max_examples=15)
@given(data=st.data())
def test_the_future_is_not_read(kind, data):
    model, n_items = cached(kind), 6
    items = torch.tensor([data.draw(st.lists(st.integers(0, n_items - 1), min_size=2, max_size=8))])
    at = data.draw(st.integers(1, items.shape[1] - 1))
    changed = items.clone()
    changed[0, at] = (items[0, at] + data.draw(st.integers(1, n_items - 1))) % n_items
    asked = torch.ones_like(items, dtype=torch.bool)
    one, two = (model.module(some, torch.zeros_like(some), asked) for some in (items, changed))
    assert torch.allclose(one[:at], two[:at], rtol=0, atol=1e-12)
    assert not torch.allclose(one[at], two[at], rtol=0, atol=1e-12)


@every
def test_same_seed_same_weights(kind):
    log = random_sessions(5)
    one, two = (kind(SMALL[kind]()).fit(log) for _ in range(2))
    other = kind(SMALL[kind](training=Training(epochs=1, batch=16, seed=4))).fit(log)
    histories = log.histories(np.unique(log.frame["user"]))
    assert np.array_equal(one.score(histories), two.score(histories))
    assert not np.allclose(one.score(histories), other.score(histories))


@every
def test_protocol_saving_and_copies(kind, tmp_path):
    log = random_sessions(6)
    model = kind(SMALL[kind](use_actions=True)).fit(log)
    assert isinstance(model, Trained)
    histories = log.histories(np.unique(log.frame["user"]))
    scores = model.score(histories)
    assert (
        scores.dtype == np.float32
        and scores.shape == (len(histories), log.n_items)
        and not model.module.training
    )
    model.save(tmp_path / "model")
    state = torch.random.get_rng_state()
    assert np.array_equal(kind.load(tmp_path / "model").score(histories), scores)
    # the caller's own draws go on as if nothing was loaded
    assert torch.equal(torch.random.get_rng_state(), state)
    groups = model.parameter_groups()
    listed = [id(weight) for group in groups.values() for weight in group]
    assert sorted(listed) == sorted(map(id, model.module.parameters())) and set(groups) == {
        "users",
        "items",
        "shared",
    }
    copied = model.copy()
    with torch.no_grad():
        for weight in copied.module.parameters():
            weight += 1
    assert np.array_equal(model.rebuild(log).score(histories), scores)
    assert not np.allclose(copied.score(histories), scores)
    other = next(k for k in SMALL if k is not kind)
    with pytest.raises(ModelError):
        other.load(tmp_path / "model")


@every
def test_a_log_without_questions_has_no_losses(kind):
    log = random_sessions(6)
    model, user = fitted(kind, log), int(log.frame["user"].value_counts().idxmax())
    own = log.histories([user]).interaction
    parameters = list(model.module.parameters())
    for left in (log.without(own[1:]), log.without(own)):  # a session of one row, then none
        losses = model.loss(model.examples(left, [user]))
        assert losses.shape == (0,) and losses.dtype == torch.float64
        first = torch.autograd.grad(losses.sum(), parameters, create_graph=True)
        second = torch.autograd.grad(sum(g.sum() for g in first), parameters)
        assert all(not g.any() for g in (*first, *second))


@every
def test_other_indexes_and_unfitted_models_are_refused(kind):
    log = random_sessions(6)
    model, other = kind(SMALL[kind]()).fit(log), random_sessions(6, items=4)
    with pytest.raises(ModelError, match="4 items"):
        model.rebuild(other)
    new = kind(SMALL[kind]())
    for call in (lambda: new.loss(model.examples(log)), lambda: new.rebuild(log)):
        with pytest.raises(ModelError, match="fitted"):
            call()


@every
def test_last_rows_empty_histories_and_unknown_actions(kind):
    log = random_sessions(7, longest=9)
    model = fitted(kind, log, max_length=4, use_actions=True)
    users = np.flatnonzero(np.bincount(log.frame["user"], minlength=log.n_users) > 4)
    histories = log.histories(users)
    from_end = np.repeat(histories.offsets[1:], np.diff(histories.offsets)) - np.arange(
        len(histories.item)
    )
    last = histories.keep(from_end <= 4)
    assert torch.equal(model.represent(histories), model.represent(last))
    with pytest.raises(DataError, match="row 0"):
        model.score(histories.keep(histories.rows != 0))
    frame = log.frame.assign(
        action=log.frame["action"].cat.rename_categories(lambda name: f"{name} of another shop")
    )
    foreign = Interactions(frame, log.users, log.items).histories(users)
    with torch.no_grad():
        model.module.action.weight.zero_()
    assert torch.equal(model.represent(foreign), model.represent(histories)), (
        "an action never met adds nothing"
    )
    with pytest.raises(ModelError, match="fitted"):
        kind(SMALL[kind]()).score(histories)


@every
def test_hessian_vector_products_equal_finite_differences(kind):
    log = random_sessions(8, users=5)
    model = fitted(kind, log)
    weights, examples = list(model.module.parameters()), model.examples(log)

    def gradient(graph=False):
        return torch.autograd.grad(model.loss(examples).sum(), weights, create_graph=graph)

    torch.manual_seed(0)
    direction = [torch.randn_like(weight) for weight in weights]
    along = sum((g * v).sum() for g, v in zip(gradient(True), direction, strict=True))
    got, step, ends = torch.autograd.grad(along, weights), 1e-5, []
    for sign in (1, -1):
        with torch.no_grad():
            for weight, v in zip(weights, direction, strict=True):
                weight += sign * step * v
        ends.append(gradient())
        with torch.no_grad():
            for weight, v in zip(weights, direction, strict=True):
                weight -= sign * step * v
    for product, up, down in zip(got, *ends, strict=True):
        want = (up - down) / (2 * step)
        assert torch.allclose(product, want, rtol=0, atol=1e-6 * (1 + want.abs().max().item()))


@every
def test_a_loss_that_is_no_number_stops_and_tells_where(kind):
    log = random_sessions(9)
    model = kind(SMALL[kind](training=Training(epochs=3, batch=8, learning_rate=1e38)))
    with pytest.raises(ModelError, match="epoch"):
        model.fit(log)
    assert all(torch.isfinite(weight).all() for weight in model.module.parameters())


@every
def test_learns_a_cycle(kind):
    rows = [(user, (user + step) % 5) for user in range(20) for step in range(8)]
    log = Interactions.from_table(pd.DataFrame(rows, columns=["user", "item"]))
    config = SMALL[kind](training=Training(epochs=15, batch=64, learning_rate=4e-2, seed=1))
    off = {name: 0.0 for name in type(config).model_fields if "dropout" in name}
    model = kind(config.model_copy(update=off)).fit(log)
    histories = log.histories()
    want = log.items.get_indexer((log.items[histories.item[histories.offsets[1:] - 1]] + 1) % 5)
    assert (model.score(histories).argmax(axis=1) == want).all()
    assert model.record["loss"].iloc[-1] < 0.5 < model.record["loss"].iloc[0]


def test_blocks_change_nothing(monkeypatch):
    torch.manual_seed(0)
    query, key = (torch.randn(2, n, 2, dtype=torch.float64, requires_grad=True) for n in (3, 4))
    v, place = (
        torch.randn(2, dtype=torch.float64, requires_grad=True),
        torch.arange(1, 4).repeat(2, 1),
    )
    later = torch.arange(4) > place[..., None]

    def masked(*parts):
        return additive(*parts, place).masked_fill(later, 0.0)

    want = ((query[:, :, None] + key[:, None]).sigmoid() @ v).masked_fill(later, 0.0)
    assert torch.allclose(masked(query, key, v), want, rtol=0, atol=1e-14)
    monkeypatch.setattr(additive_file, "STEP", 2)
    monkeypatch.setattr(additive_file, "BLOCK", 12)
    assert torch.allclose(masked(query, key, v), want, rtol=0, atol=1e-14)
    assert torch.autograd.gradgradcheck(masked, (query, key, v))


def test_heads_must_divide_the_state():
    with pytest.raises(ValueError, match="heads"):
        SASRecConfig(hidden=10, heads=3)


@pytest.mark.real
def test_beats_popularity_on_movielens(real_data):
    if not (real_data / "ml-100k-recbole").is_dir():
        pytest.skip("no ml-100k here")
    parts = split(read_recbole(real_data / "ml-100k-recbole").log, "leave_one_out")
    last = parts.train.select(
        parts.train.frame.groupby("user").cumcount(ascending=False).to_numpy() < 25
    )
    model = SRGNN(
        SRGNNConfig(hidden=32, training=Training(epochs=3, batch=256, learning_rate=5e-3))
    ).fit(last)

    def ndcg(model):
        table = evaluate(model, parts, (10,), mask_seen=False, history=("train", "valid"))
        return table.loc[table["metric"] == "ndcg", "value"].mean()

    assert ndcg(model) > 1.4 * ndcg(Popularity().fit(last))


@pytest.mark.parametrize("name", ["GRU4Rec", "NARM", "SASRec", "SRGNN"])
def test_actions_begin_at_nothing_and_are_learned(name):
    network = getattr(recommend, name).Network(
        getattr(recommend, f"{name}Config")(use_actions=True), 7, 3
    )
    assert not network.action.weight.any()
    items, actions = torch.tensor([[1, 2, 3]]), torch.tensor([[0, 1, 2]])
    read = network.eval()(items, actions, torch.tensor([[False, False, True]]))
    (read * torch.arange(read.shape[1])).sum().backward()
    assert network.action.weight.grad[:3].any() and not network.action.weight.grad[3].any()
