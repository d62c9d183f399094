"""Token losses against loops written by hand, on random logits; what makes them safe to write in a
notebook cell."""

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from workbench.errors import ConfigError, ModelError
from workbench.tokens import weights
from workbench.tokens.weights.protocol import token_losses, token_weights

SIZE, VOCABULARY = 40, 11


def make(seed=0, size=SIZE, scale=3.0):
    draw = torch.Generator().manual_seed(seed)
    with_, without = (
        scale * torch.randn(size, VOCABULARY, generator=draw, dtype=torch.float64) for _ in range(2)
    )
    labels = torch.randint(VOCABULARY, (size,), generator=draw)
    columns = {
        "teacher": torch.linspace(-3, 9, size, dtype=torch.float64),
        "personal": (torch.arange(size) % 5 == 0).double(),
        "reference": -torch.rand(size, generator=draw, dtype=torch.float64),
    }
    return weights.Tokens(with_.requires_grad_(), labels, without.requires_grad_(), columns)


@pytest.fixture
def tokens():
    return make()


LOSSES = [
    weights.CE(),
    weights.PerCE(),
    weights.PerCE(normalize="mean"),
    weights.NextQuill(),
    weights.NextQuill(strategy="JS"),
    weights.LossCE(),
    weights.LossCE(reference="reference"),
    weights.EntCE(),
    weights.DFT(),
    weights.FrozenTeacher(),
    weights.Oracle(),
]


def probabilities(logits):
    """Softmax by hand, row by row."""
    out = []
    for row in logits.tolist():
        parts = [math.exp(z) for z in row]
        out.append([part / sum(parts) for part in parts])
    return out


def by_hand(tokens):
    """p⁺ and p⁻ of the tokens, as lists."""
    both = (probabilities(tokens.logits_with), probabilities(tokens.logits_without))
    return [[p[y] for p, y in zip(side, tokens.labels.tolist(), strict=True)] for side in both]


def test_what_tokens_say_is_what_a_loop_says(tokens):
    plus, minus = by_hand(tokens)
    np.testing.assert_allclose(tokens.loss.detach(), [-math.log(p) for p in plus], rtol=1e-12)
    np.testing.assert_allclose(
        tokens.pir, [math.log(p / q) for p, q in zip(plus, minus, strict=True)], atol=1e-12
    )
    entropy = [-sum(p * math.log(p) for p in row) for row in probabilities(tokens.logits_with)]
    np.testing.assert_allclose(tokens.entropy, entropy, rtol=1e-12)
    both = zip(probabilities(tokens.logits_with), probabilities(tokens.logits_without), strict=True)
    kl = [sum(p * math.log(p / q) for p, q in zip(*rows, strict=True)) for rows in both]
    np.testing.assert_allclose(tokens.kl, kl, rtol=1e-10)
    assert tokens.loss.requires_grad
    assert not any(getattr(tokens, name).requires_grad for name in ("pir", "entropy", "kl"))


def test_what_cannot_be_said_adds_nothing_to_kl(tokens):
    """A model may give tokens probability 0: 0 · log 0 = 0."""
    never = tokens.logits_with.detach().index_fill(1, torch.tensor([3]), -torch.inf)
    for without in (never, tokens.logits_without):
        kl = weights.Tokens(never, tokens.labels, without).kl
        assert torch.isfinite(kl).all() and bool((kl > 0).any()) == (without is not never)


def test_perce_with_floor_and_ceiling_one_is_cross_entropy_exactly(tokens):
    assert torch.equal(
        token_losses(weights.PerCE(m=1, M=1), tokens), token_losses(weights.CE(), tokens)
    )


def test_perce_by_hand(tokens):
    plus, minus = by_hand(tokens)
    expected = [min(max(math.log(p / q), 0.8), 5.0) for p, q in zip(plus, minus, strict=True)]
    found = weights.PerCE().weights(tokens)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert {0.8, 5.0} < set(found.tolist())  # both ends and the middle are met
    assert found.mean() > 1.2  # Eq. 8 divides by n, not by the weights
    scaled = weights.PerCE(normalize="mean").weights(tokens)
    np.testing.assert_allclose(scaled, found / found.mean(), rtol=1e-12)
    with pytest.raises(ValidationError, match="m is at most M"):
        weights.PerCE(m=2, M=1)


def test_nextquill_by_hand(tokens):
    plus, minus = by_hand(tokens)
    raw = [0.9 if p - q > 0.05 else 0.1 for p, q in zip(plus, minus, strict=True)]
    found = weights.NextQuill().weights(tokens)
    # Σ w = 1, and L over n
    np.testing.assert_allclose(found / SIZE, [w / sum(raw) for w in raw], rtol=1e-12)
    assert len(set(raw)) == 2
    labels = tokens.labels.tolist()
    preferred = probabilities((tokens.logits_with - tokens.logits_without).detach())
    extra = [-0.1 * math.log(p[y]) for p, y in zip(preferred, labels, strict=True)]
    np.testing.assert_allclose(weights.NextQuill().extra(tokens).detach(), extra, rtol=1e-10)
    weights.NextQuill().extra(tokens).sum().backward()
    # through both passes
    assert torch.allclose(tokens.logits_with.grad, -tokens.logits_without.grad)
    assert tokens.logits_without.grad.abs().sum() > 0


def test_nextquill_divergence_by_hand(tokens):
    raw = []
    for p, q in zip(
        probabilities(tokens.logits_with), probabilities(tokens.logits_without), strict=True
    ):
        middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
        raw.append(
            sum(s * math.log(s / m) for side in (p, q) for s, m in zip(side, middle, strict=True))
        )
    found = weights.NextQuill(strategy="JS", alpha=0).weights(tokens)
    np.testing.assert_allclose(found / SIZE, np.array(raw) / sum(raw), rtol=1e-10)
    assert not weights.NextQuill(alpha=0).through_both
    alike = weights.Tokens(tokens.logits_with, tokens.labels, tokens.logits_with)
    # no 0/0 where nothing differs
    np.testing.assert_allclose(weights.NextQuill(strategy="JS").weights(alike), 1)


@pytest.mark.parametrize(
    ("loss", "value"),
    [
        (weights.LossCE(share=0.3), lambda t: t.loss),
        (
            weights.LossCE(share=0.3, reference="reference"),
            lambda t: t.loss + t.column("reference"),
        ),
        (weights.EntCE(share=0.3), lambda t: t.entropy),
    ],
)
def test_a_top_share_is_chosen_and_scaled_up(tokens, loss, value):
    values = value(tokens).tolist()
    ranked = sorted(values, reverse=True)
    chosen = [value >= ranked[11] for value in values]  # 0.3 · 40 = 12
    assert loss.weights(tokens).tolist() == pytest.approx(
        [SIZE / 12 if one else 0.0 for one in chosen]
    )
    assert type(loss)(share=1.0).weights(tokens).tolist() == [1.0] * SIZE


def test_dft_follows_the_gradient_of_the_probability(tokens):
    token_losses(weights.DFT(), tokens).sum().backward()
    again = make()
    chances = torch.softmax(again.logits_with, dim=-1)[torch.arange(SIZE), again.labels]
    (-chances.sum()).backward()
    torch.testing.assert_close(tokens.logits_with.grad, again.logits_with.grad)


def test_teacher_and_oracle_read_their_columns(tokens):
    teacher = weights.FrozenTeacher().weights(tokens)
    np.testing.assert_allclose(teacher, np.clip(np.linspace(-3, 9, SIZE), 0.8, 5), rtol=1e-12)
    assert weights.Oracle().weights(tokens).tolist() == [
        5.0 if i % 5 == 0 else 0.8 for i in range(SIZE)
    ]
    with pytest.raises(ConfigError, match=r"no column 'mine'.*personal.*carry"):
        weights.Oracle(column="mine").weights(tokens)


def test_permuted_keeps_the_histogram_and_touches_no_other_generator(tokens):
    own = weights.PerCE().weights(tokens)
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    dealt = weights.Permuted(loss=weights.PerCE()).weights(tokens)
    assert (
        torch.equal(torch.random.get_rng_state(), before[0])
        and (np.random.get_state()[1] == before[1]).all()
    )
    assert sorted(dealt.tolist()) == sorted(own.tolist()) and dealt.tolist() != own.tolist()
    # what a resumed run repeats
    assert torch.equal(dealt, weights.Permuted(loss=weights.PerCE()).weights(make()))
    assert dealt.tolist() != weights.Permuted(loss=weights.PerCE(), seed=1).weights(tokens).tolist()


def test_permuted_deals_every_weight_to_every_token():
    """Over many batches each token's mean weight is the batch's: nothing of the own weight is
    left."""
    own, dealt = [], []
    for seed in range(200):
        batch = make(seed)
        own.append(weights.PerCE().weights(batch))
        dealt.append(weights.Permuted(loss=weights.PerCE()).weights(batch))
    own, dealt = torch.cat(own).numpy(), torch.cat(dealt).numpy()
    assert abs(np.corrcoef(own, dealt)[0, 1]) < 4 / len(own) ** 0.5


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_order_of_tokens_does_not_matter(tokens, loss):
    order = torch.randperm(SIZE, generator=torch.Generator().manual_seed(1))
    columns = {name: values[order] for name, values in tokens.columns.items()}
    other = weights.Tokens(
        tokens.logits_with[order], tokens.labels[order], tokens.logits_without[order], columns
    )
    torch.testing.assert_close(token_losses(loss, other), token_losses(loss, tokens)[order])


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_no_gradient_through_the_weights(tokens, loss):
    """The gradient is the weight times that of cross-entropy, plus that of the extra term."""
    token_losses(loss, tokens).sum().backward()
    again = make()
    expected = token_weights(loss, again) * again.loss
    if hasattr(loss, "extra"):
        expected = expected + loss.extra(again)
    expected.sum().backward()
    torch.testing.assert_close(tokens.logits_with.grad, again.logits_with.grad)
    assert (tokens.logits_without.grad is None) == (not getattr(loss, "through_both", False))


def test_a_loss_from_a_notebook_cell(tokens):
    class Surprised:
        name = "PIR where the model is unsure"

        def weights(self, tokens):
            # not detached
            return tokens.pir.clamp(0.8, 5) * (1 - torch.softmax(tokens.logits_with, -1).amax(-1))

    found = token_weights(Surprised(), tokens)
    assert found.shape == (SIZE,) and not found.requires_grad
    assert token_losses(Surprised(), tokens).requires_grad


@pytest.mark.parametrize("wrong", [lambda t: torch.ones(3), lambda t: t.pir / 0, lambda t: 1.0])
def test_weights_of_another_shape_or_not_finite_are_refused(tokens, wrong):
    class Wrong:
        name = "wrong"
        weights = staticmethod(wrong)

    with pytest.raises(ConfigError, match=r"'wrong'.*40 finite weights"):
        token_losses(Wrong(), tokens)


def test_what_was_not_run_cannot_be_read_and_nan_is_not_trained_on(tokens):
    with pytest.raises(ConfigError, match="persona_free = True"):
        weights.PerCE().weights(weights.Tokens(tokens.logits_with, tokens.labels))
    with pytest.raises(ConfigError, match="persona_free = True"):
        weights.Tokens(tokens.logits_with, tokens.labels).kl  # noqa: B018
    broken = weights.Tokens(torch.full((2, VOCABULARY), torch.nan), torch.tensor([0, 1]))
    with pytest.raises(ModelError, match="no finite loss"):
        token_losses(weights.CE(), broken)
