"""A simulator's folder from a stranger: whatever it says, it is refused in words, and nothing of the sizes
it names is made."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from workbench.data import load_world
from workbench.errors import ModelError
from workbench.reports.recpilot import Simulator, SimulatorConfig, Vocabulary

ACTIONS = ("cart", "favourite", "purchase", "view")


@pytest.fixture(scope="module")
def simulator():
    sizes = {"hidden": 16, "inner": 32, "head_size": 8}
    log = load_world().log
    vocabulary = Vocabulary(ACTIONS, log.n_items)
    return Simulator(SimulatorConfig(**sizes)).make(vocabulary, log.index_fingerprint)


def of(**changed):
    """Arrays in place of those that were saved."""
    return lambda folder: save_file(
        load_file(folder / "arrays.safetensors") | changed, folder / "arrays.safetensors"
    )


def config(**changed):
    """A config in place of the one that was saved."""

    def change(folder):
        path = folder / "model.json"
        said = json.loads(path.read_text())
        path.write_text(json.dumps(said | {"config": said["config"] | changed}))

    return change


def card(text):
    return lambda folder: (folder / "card.toml").write_text(text)


STRANGE = {
    "two numbers of products": (of(n_items=np.array([1, 2])), "no vocabulary"),
    "half a product": (of(n_items=np.array(1.5)), "no vocabulary"),
    "less than none": (of(n_items=np.array(-5)), "no vocabulary"),
    "a thousand million products": (of(n_items=np.array(10**9)), "the table of tokens"),
    "no letters": (of(actions=np.frombuffer(b"\xff\xfe", np.uint8)), "no vocabulary"),
    "an action twice": (of(actions=np.frombuffer(b"purchase\x1fpurchase", np.uint8)), "no vocab"),
    "no purchase": (of(actions=np.frombuffer(b"view\x1fcart", np.uint8)), "no vocabulary"),
    "whole numbers": (
        of(**{"module.gate.weight": np.zeros((8, 64), np.int32)}),
        "gate.weight is of int32",
    ),
    "wide": (config(hidden=10**7), "the table of tokens"),
    "wide within": (config(inner=10**9), "DenseReluDense"),
    "many heads": (config(heads=10**7), "SelfAttention"),
    "deep": (config(layers=10**6), "layers of encoder and decoder"),
    "long": (config(longest=10**9), "cannot be read"),
    "a seed of 70 bits": (config(training={"seed": 2**70}), "cannot be read"),
    "a card of brackets": (card("a = " + "[" * 5000 + "]" * 5000), "no card"),
    "a card without sections": (card("gate = 3"), "stands in no section"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_a_stranger_s_folder_is_refused_before_a_network_of_its_size_is_made(
    name, simulator, tmp_path
):
    change, said = STRANGE[name]
    simulator.save(tmp_path / "model")
    change(tmp_path / "model")
    with pytest.raises(ModelError, match=said):
        Simulator.load(tmp_path / "model")
