"""DNNTSP and Sets2Sets: the batched networks say what plain loops over the equations say."""

from math import exp, log1p, sqrt

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from workbench.data import Interactions, load_world, split
from workbench.errors import DataError, ModelError, TooLarge
from workbench.recommend import (
    DNNTSP,
    DNNTSPConfig,
    Sets2Sets,
    Sets2SetsConfig,
    TopFreq,
    TopFreqConfig,
    Trained,
    Training,
    basket_task,
    compare,
)
from workbench.recommend.basket import sets2sets
from workbench.recommend.basket._examples import BasketExamples

USERS, ITEMS = 5, 8
SHORT = Training(epochs=2, batch=3, seed=4)
MODELS = {
    "dnntsp": DNNTSP(DNNTSPConfig(embedding=4, max_baskets=3, training=SHORT)),
    "dnntsp all": DNNTSP(
        DNNTSPConfig(embedding=4, layers=2, heads=2, targets="all", training=SHORT)
    ),
    "sets2sets": Sets2Sets(Sets2SetsConfig(hidden=4, max_baskets=3, training=SHORT)),
    "as published": Sets2Sets(
        Sets2SetsConfig(
            hidden=4, gate="published", set_loss="as_published", targets="all", training=SHORT
        )
    ),
}
models = pytest.mark.parametrize("name", MODELS)


def make(table) -> Interactions:
    """A log of (user, basket, item) rows."""
    frame = pd.DataFrame(table, columns=["user", "basket", "item"])
    return Interactions.from_table(
        frame, basket="basket", users=pd.Index(range(USERS)), items=pd.Index(range(ITEMS))
    )


def whole(seed=0, n=90):
    """Every user has several baskets; equal items occur within one."""
    rng = np.random.default_rng(seed)
    return make(
        sorted(
            zip(
                rng.integers(0, USERS, n),
                rng.integers(0, 6, n),
                rng.integers(0, ITEMS, n),
                strict=True,
            )
        )
    )


def start(name, log):
    """A model with first weights in float64, drawn again so that nothing stands at zero."""
    model = MODELS[name].copy()
    torch.manual_seed(1)
    model.start(log).module.double()
    model.rebuild(log)
    for weight in model.module.parameters():
        torch.nn.init.normal_(weight, std=0.7)
    return model


def baskets_of(log, user):
    """Baskets of a user as lists without repeats, oldest first; by a loop."""
    made = {}
    for row in log.frame[log.frame["user"] == user].itertuples():
        made.setdefault(row.basket, [])
        if row.item not in made[row.basket]:
            made[row.basket].append(row.item)
    return list(made.values())


def weights(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def softmax(x):
    e = np.exp(x - np.max(x))
    return e / e.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def dnntsp_by_loops(module, config, read):
    """Scores (n_items,) and the mean of z, from the equations, for one user."""
    w, read = weights(module), read[-config.max_baskets :]
    nodes = sorted({item for basket in read for item in basket})
    together = {
        (i, j): sum(i in b and j in b for b in read) for i in nodes for j in nodes if i != j
    }
    most = max([1, *together.values()])
    scores, zs = w["item.weight"] @ w["out.weight"][0] + w["out.bias"][0], []
    state = {(i, t): w["item.weight"][i] for i in nodes for t in range(len(read))}
    for layer in range(config.layers):
        new = {}
        for i, t in state:
            near = state[i, t].copy()
            for j in nodes:
                if i != j and i in read[t] and j in read[t]:
                    near += together[i, j] / most * state[j, t]
            new[i, t] = np.maximum(
                w[f"convolutions.{layer}.weight"] @ near + w[f"convolutions.{layer}.bias"], 0
            )
        state = new
    size = config.embedding // config.heads
    for i in nodes:
        z = np.zeros(config.embedding)
        for t in range(len(read)):
            h = []
            for head in range(config.heads):
                q, k, v = (
                    w[f"attention.{n}.weight"][head * size : (head + 1) * size] for n in range(3)
                )
                share = softmax(
                    [(q @ state[i, t]) @ (k @ state[i, s]) / sqrt(size) for s in range(t + 1)]
                )
                h.append(sum(share[s] * (v @ state[i, s]) for s in range(t + 1)))
            h = np.concatenate(h)
            z += (w["time.weight"][0] @ h) * h
        own = (1 - w["gate"][i]) * w["item.weight"][i] + w["gate"][i] * z
        scores[i] = w["out.weight"][0] @ own + w["out.bias"][0]
        zs.append(z)
    return scores, np.mean(zs, axis=0)


def dnntsp_loss(module, config, scores, asked, log):
    return sum(log1p(exp(s)) - (j in asked) * s for j, s in enumerate(scores)) / len(scores)


def gru(w, name, x, h):
    a, b = (
        w[f"{name}weight_ih{'_l0' * (name == 'encoder.')}"],
        w[f"{name}weight_hh{'_l0' * (name == 'encoder.')}"],
    )
    p, q = (
        w[f"{name}bias_ih{'_l0' * (name == 'encoder.')}"],
        w[f"{name}bias_hh{'_l0' * (name == 'encoder.')}"],
    )
    (ar, az, an), (br, bz, bn) = np.split(a @ x + p, 3), np.split(b @ h + q, 3)
    r, z = sigmoid(ar + br), sigmoid(az + bz)
    return (1 - z) * np.tanh(an + r * bn) + z * h


def sets2sets_by_loops(module, config, read):
    """What stands in the softmax (n_items,), and the decoder's state, for one user."""
    w, read = weights(module), read[-config.max_baskets :]
    h, states = np.zeros(config.hidden), []
    for basket in read:
        h = gru(w, "encoder.", np.mean([w["item.weight"][i] for i in basket], axis=0), h)
        states.append(h)
    x = np.mean([w["last.weight"][i] for i in read[-1]], axis=0)
    asks = w["asking.weight"] @ np.concatenate([x, h]) + w["asking.bias"]
    share = softmax([w["align.weight"][0] @ np.tanh(asks + w["asked.weight"] @ s) for s in states])
    context = sum(a * s for a, s in zip(share, states, strict=True))
    combined = np.maximum(w["combine.weight"] @ np.concatenate([x, context]) + w["combine.bias"], 0)
    state = gru(w, "decoder.", combined, h)
    f = np.array([sum(i in basket for basket in read) / len(read) for i in range(ITEMS)])
    if config.gate == "item":
        g = sigmoid(w["own"][0] * f + w["own"][1])
    else:
        g = sigmoid(w["gate.weight"] @ f + w["gate.bias"])
    out = w["out.weight"] @ state + w["out.bias"]
    return out * (1 - (f > 0) * g) + f * g, state


def sets2sets_loss(module, config, scores, asked, log):
    made = softmax(scores)
    count = np.zeros(ITEMS)
    for user in range(USERS):
        for basket in baskets_of(log, user):
            count[basket] += 1
    squares = sum(
        (max(count) / count[i] if count[i] else 0) * (made[i] - (i in asked)) ** 2
        for i in range(ITEMS)
    )
    pairs = [exp(-(made[i] - made[j])) for i in asked for j in range(ITEMS) if j not in asked]
    return squares + config.set_weight * (np.mean(pairs) if pairs else 0)


LOOPS = {DNNTSP: (dnntsp_by_loops, dnntsp_loss), Sets2Sets: (sets2sets_by_loops, sets2sets_loss)}

row = st.tuples(st.integers(0, USERS - 1), st.integers(0, 5), st.integers(0, ITEMS - 1))
tables = st.lists(row, min_size=1, max_size=10) | st.lists(row, min_size=20, max_size=40)


@models
@given(tables)
@hypothesis_settings(max_examples=8)
def test_the_network_is_what_loops_over_the_equations_say(name, table):
    log = make(table)
    model = start(name, log)
    by_loops, loss_by_loops = LOOPS[type(model)]
    users = np.unique(log.frame["user"])
    read = BasketExamples.of(log.histories(users), model.config.max_baskets, "none").batch
    with torch.no_grad():
        scores, states = (
            model.module.scores(read).numpy(),
            model.represent(log.histories(users)).numpy(),
        )
    for row, user in enumerate(users):  # users with a single basket among them
        wanted, state = by_loops(model.module, model.config, baskets_of(log, user))
        np.testing.assert_allclose(scores[row], wanted, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(states[row], state, rtol=1e-10, atol=1e-10)
    wanted, ids = [], []
    for user in range(USERS):
        baskets = baskets_of(log, user)
        asked = range(1, len(baskets)) if model.config.targets == "all" else [len(baskets) - 1]
        rows = log.frame[log.frame["user"] == user]
        order = list(dict.fromkeys(rows["basket"]))
        for m in asked:
            if m > 0:
                scores, _ = by_loops(model.module, model.config, baskets[:m])
                wanted.append(loss_by_loops(model.module, model.config, scores, baskets[m], log))
                ids.append(set(rows.loc[rows["basket"] == order[m], "interaction"]))
    examples = model.examples(log)
    np.testing.assert_allclose(
        model.loss(examples).detach().numpy(), wanted, rtol=1e-10, atol=1e-10
    )
    question, interaction = examples.targets()
    assert [set(interaction[question == e]) for e in range(len(examples))] == ids
    assert len(interaction) == sum(map(len, ids))


@models
def test_hessian_products_are_those_of_finite_differences(name):
    log = whole(3, 60)
    model = start(name, log)
    examples = model.examples(log)
    parameters = list(model.module.parameters())
    torch.manual_seed(2)
    along = [torch.randn_like(p) for p in parameters]

    def gradient(create=False):
        return torch.autograd.grad(
            model.loss(examples).mean(), parameters, create_graph=create, allow_unused=True
        )

    product = torch.autograd.grad(
        sum((g * v).sum() for g, v in zip(gradient(True), along, strict=True)),
        parameters,
        allow_unused=True,
    )
    step, sides = 1e-5, []
    for sign in (1, -2, 1):
        with torch.no_grad():
            for p, v in zip(parameters, along, strict=True):
                p += sign * step * v
        sides.append(gradient())
    for high, low, exact in zip(*sides[:2], product, strict=True):
        if exact is not None:
            np.testing.assert_allclose(exact, (high - low) / (2 * step), rtol=1e-4, atol=1e-6)
    assert (
        sum(exact is not None and exact.abs().sum() > 0 for exact in product) > len(parameters) / 2
    )


def test_only_the_corrected_set_loss_has_a_gradient():
    log, found = whole(), {}
    for way in ("gradient", "as_published"):
        for weight in (0.0, 10.0):
            model = Sets2Sets(Sets2SetsConfig(hidden=4, set_loss=way, set_weight=weight))
            torch.manual_seed(0)
            model.start(log).module.weight.fill_(1)
            losses = model.loss(model.examples(log))
            found[way, weight] = (
                losses,
                torch.autograd.grad(losses.mean(), model.module.out.bias)[0],
            )
    assert torch.equal(found["as_published", 0.0][1], found["as_published", 10.0][1])
    assert torch.equal(found["gradient", 10.0][0], found["as_published", 10.0][0])
    assert not torch.allclose(found["gradient", 0.0][1], found["gradient", 10.0][1], rtol=1e-3)


@models
def test_a_user_does_not_depend_on_who_shares_the_batch(name):
    log = whole(5)
    model = start(name, log)
    examples, histories = model.examples(log), log.histories()
    together = model.loss(examples)
    alone = torch.cat([model.loss(examples.select([e])) for e in range(len(examples))])
    torch.testing.assert_close(together, alone, rtol=1e-12, atol=1e-12)
    model.module.float()
    np.testing.assert_allclose(
        model.score(histories),
        np.vstack([model.score(histories.select([u])) for u in range(USERS)]),
        rtol=1e-5,
        atol=1e-6,
    )
    batches = list(examples.batches(2, (1, 0)))
    asked = np.concatenate([b.target for b in batches])
    assert sorted(asked) == sorted(examples.target) and max(map(len, batches)) == 2


@models
def test_rows_that_are_gone_or_later_never_enter(name):
    log = whole(6)
    model = MODELS[name].copy().fit(log)
    histories = log.histories([2])
    gone = histories.interaction[histories.basket == histories.basket[0]]
    np.testing.assert_array_equal(
        model.score(histories.without(gone)), model.score(log.without(gone).histories([2]))
    )
    # every model reads the last basket
    late = histories.interaction[histories.basket == histories.basket[-1]]
    assert not np.array_equal(model.score(histories.without(late)), model.score(histories))
    # A question's scores do not change when its target or anything after it does.
    other = log.frame.copy()
    last = other["interaction"].isin(
        histories.interaction[histories.basket == histories.basket[-1]]
    )
    other.loc[last, "item"] = (other.loc[last, "item"] + 1) % ITEMS
    changed = Interactions(other, log.users, log.items)
    with torch.no_grad():
        before, after = (
            model.module.scores(model.examples(part, [2]).batch) for part in (log, changed)
        )
    assert torch.equal(before, after) and len(before)


@models
def test_fit_learns_and_is_the_same_again(name):
    log = whole(7, 200)
    parts = split(log, "next_basket", by="position")
    model = MODELS[name].copy().fit(parts.train, parts.valid)
    again = MODELS[name].copy().fit(parts.train, parts.valid)
    for a, b in zip(model.module.parameters(), again.module.parameters(), strict=True):
        assert torch.equal(a, b)
    assert isinstance(model, Trained) and not model.module.training
    assert model.record["validation"].notna().all() and model.record["best"].sum() == 1
    longer = model.config.training.model_copy(update={"epochs": 8, "learning_rate": 0.02})
    longer = type(model)(model.config.model_copy(update={"training": longer})).fit(parts.train)
    assert longer.record["loss"].iloc[-1] < longer.record["loss"].iloc[0]
    groups = model.parameter_groups()
    listed = [id(p) for group in groups.values() for p in group]
    assert sorted(listed) == sorted(map(id, model.module.parameters())) and not groups["users"]
    assert (
        all(p.shape[0] in (ITEMS, 2) for p in groups["items"])
        and groups["items"]
        and groups["shared"]
    )


@models
def test_validation_asks_other_users_too(name):
    log = whole(8)
    mine = log.select(log.frame["user"] < 3)
    others = log.select(log.frame["user"] >= 3)
    record = MODELS[name].copy().fit(mine, others).record
    assert record["validation"].between(0, 1).all()
    single = make([(4, 0, 1), (4, 0, 2)])
    with pytest.raises(DataError, match="two baskets"):
        MODELS[name].copy().fit(mine, single)


@models
def test_save_load_copy_and_rebuild(name, tmp_path):
    log = whole(9)
    model, histories = MODELS[name].copy().fit(log), log.histories()
    scores = model.score(histories)
    assert scores.dtype == np.float32 and scores.shape == (USERS, ITEMS)
    model.save(tmp_path / "model")
    state = torch.random.get_rng_state()
    loaded = type(model).load(tmp_path / "model")
    # the caller's own draws go on as if nothing was loaded
    assert torch.equal(torch.random.get_rng_state(), state)
    np.testing.assert_array_equal(loaded.score(histories), scores)
    assert torch.equal(loaded.loss(model.examples(log)), model.loss(model.examples(log)))
    other = model.copy()
    with torch.no_grad():
        next(other.module.parameters()).add_(1.0)
    np.testing.assert_array_equal(model.score(histories), scores)
    assert model.rebuild(log.select(log.frame["user"] > 0)) is model
    np.testing.assert_array_equal(model.score(histories), scores)


def test_rebuild_counts_the_frequencies_anew():
    # 1: three baskets, one row twice
    log = make([(0, 0, 1), (0, 0, 1), (0, 1, 1), (1, 0, 1), (0, 1, 2)])
    model = start("sets2sets", log)
    assert model.module.weight.tolist()[:4] == [0, 1, 3, 0]
    model.rebuild(log.select(log.frame["item"] == 2))
    assert model.module.weight.tolist()[:4] == [0, 0, 1, 0]


@models
def test_a_log_without_questions_has_no_losses(name):
    log = whole(11)
    model = start(name, log)
    own, parameters = log.histories([2]), list(model.module.parameters())
    # one basket is left, then none
    for gone in (own.interaction[own.basket != own.basket[0]], own.interaction):
        losses = model.loss(model.examples(log.without(gone), [2]))
        assert losses.shape == (0,) and losses.dtype == torch.float64
        first = torch.autograd.grad(losses.sum(), parameters, create_graph=True)
        second = torch.autograd.grad(sum(g.sum() for g in first), parameters)
        assert all(not g.any() for g in (*first, *second))


@models
def test_bad_input_is_refused(name):
    log = whole(10)
    model = MODELS[name].copy()
    for call in (lambda: model.score(log.histories()), lambda: model.loss(model.examples(log))):
        with pytest.raises(ModelError, match="not been fitted"):
            call()
    model.fit(log)
    with pytest.raises(DataError, match="row 1"):
        model.score(log.without(log.histories([1]).interaction).histories([0, 1]))
    bare = Interactions.from_table(pd.DataFrame({"user": [0], "item": [0]}), items=log.items)
    for call in (lambda: model.score(bare.histories()), lambda: MODELS[name].copy().fit(bare)):
        with pytest.raises(DataError, match="map a column to basket"):
            call()
    fewer = Interactions.from_table(
        pd.DataFrame({"user": [0], "item": [0], "basket": [0]}), basket="basket"
    )
    for call in (lambda: model.score(fewer.histories()), lambda: model.rebuild(fewer)):
        with pytest.raises(ModelError, match="1 items"):
            call()
    with pytest.raises(ModelError, match="nothing to train on"):
        MODELS[name].copy().fit(make([(0, 0, 1), (1, 0, 2)]))


def test_a_loss_that_is_no_number_stops_training():
    wild = Training(epochs=50, batch=1, learning_rate=1e30)
    with pytest.raises(ModelError, match="epoch"):
        DNNTSP(DNNTSPConfig(embedding=4, training=wild)).fit(whole())


def test_one_item_and_one_answer():
    table = pd.DataFrame({"user": [0, 0], "basket": [0, 1], "item": [0, 0]})
    log = Interactions.from_table(table, basket="basket")
    for model in (DNNTSP(DNNTSPConfig(training=SHORT)), Sets2Sets(Sets2SetsConfig(training=SHORT))):
        assert np.isfinite(model.fit(log).score(log.histories())).all()


def test_what_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(sets2sets, "LARGEST", 7)
    with pytest.raises(TooLarge, match='gate="item"'):
        Sets2Sets(Sets2SetsConfig(gate="published", training=SHORT)).fit(whole())
    with pytest.raises(ValueError, match="heads"):
        DNNTSPConfig(embedding=4, heads=3)


# --- settings that train --------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "epochs"), [(DNNTSP, 8), (Sets2Sets, 2)])
def test_the_default_settings_train_on_a_few_hundred_people(kind, epochs):
    task = basket_task(load_world().log)
    training = kind.Config().training.model_copy(update={"epochs": epochs})
    network = kind(kind.Config(training=training))
    everybodys = TopFreq(TopFreqConfig(whose="G"))
    table = compare({"everybody's": everybodys, "network": network}, task).table
    # at batch 64 and rate .001 both stay below what is popular
    assert table["vs low"].iloc[1] > 0.03
