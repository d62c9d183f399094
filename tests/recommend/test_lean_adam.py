"""The optimiser that leaves torch's compiler out takes the same steps as torch's own."""

import subprocess
import sys

import torch

from workbench.recommend.training import OPTIMISERS


def steps(kind, **options):
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
    optimiser = kind(module.parameters(), lr=0.02, weight_decay=0.1, **options)
    for _ in range(6):
        optimiser.zero_grad()
        (module(torch.randn(4, 5)) ** 2).sum().backward()
        optimiser.step()
    return torch.cat([value.flatten() for value in module.parameters()])


def test_the_steps_are_those_of_torch():
    for options in ({}, {"fused": True}):
        adam, sgd = OPTIMISERS["adam"], OPTIMISERS["sgd"]
        assert torch.equal(steps(adam, **options), steps(torch.optim.Adam, **options))
        assert torch.equal(steps(sgd, **options), steps(torch.optim.SGD, **options))


def test_training_does_not_import_the_compiler():
    code = """
import sys, torch
from workbench.recommend.training import OPTIMISERS
one = torch.nn.Parameter(torch.ones(3))
for kind in OPTIMISERS.values():
    made = kind([one], lr=.1)
    made.zero_grad()
    one.sum().backward()
    made.step()
print("torch._dynamo" in sys.modules)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
