"""The loop that trains every model: which weights it leaves."""

import pytest

torch = pytest.importorskip("torch")

from workbench.recommend.training import Training, reproducible, train  # noqa: E402

CONFIG = Training(epochs=10, patience=2, learning_rate=0.1)


def trained(values=None, **more):
    """A single weight on its way to 5; the weight after each epoch, the one left, the record."""
    config, after = CONFIG.model_copy(update=more), []

    def loss(want):
        return (module.weight.flatten() - want) ** 2

    def validate():
        after.append(module.weight.item())
        return values[len(after) - 1]

    with reproducible(config):
        module = torch.nn.Linear(1, 1, bias=False)
        batch = torch.tensor([5.0])
        record = train(module, loss, lambda epoch: [batch], config, values and validate)
    return after, module.weight.item(), record


def test_the_weights_of_the_best_validated_epoch_are_left():
    after, left, record = trained([0.2, 0.9, 0.4, 0.9])
    # two epochs without a better value end it; the first of two equal ones counts
    assert len(record) == 4 and record.loc[record["best"], "epoch"].tolist() == [1]
    assert left == after[1] and len(set(after)) == 4
    after, left, record = trained([0.1, 0.2, 0.3], epochs=3)
    assert left == after[2] and record["best"].tolist() == [False, False, True]


def test_without_validation_the_last_weights_are_left():
    after, _, _ = trained([0.1, 0.2, 0.3], epochs=3)
    assert [trained(epochs=n)[1] for n in (1, 2, 3)] == after
