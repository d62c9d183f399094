"""Whatever is handed to a public function of pages, of what learns and imagines for them, or of the
ledger is used, or refused by name: nothing foreign is raised."""

from __future__ import annotations

from typing import get_type_hints

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")
from workbench import ledger, reports  # noqa: E402
from workbench.data import load_world  # noqa: E402
from workbench.errors import WorkbenchError  # noqa: E402
from workbench.ledger import Service  # noqa: E402
from workbench.recommend import EASE  # noqa: E402
from workbench.reports import EntityStore, recpilot  # noqa: E402

FOREIGN = [None, 3, -1, 2.5, float("nan"), "x", [1], [None], {"a": 1}, True, object(), b"x"]
FOREIGN += [np.array([1.5]), 10**9]
LONG = {"config", "folder"}
"""What is long work where it is not said, or written to."""
FACES = (reports, recpilot, ledger)


def public() -> dict[str, object]:
    """Every public function of the three faces."""
    found = {name: getattr(face, name) for face in FACES for name in face.__all__}
    made = {name: one for name, one in found.items() if callable(one)}
    return {name: one for name, one in made.items() if not isinstance(one, type)}


@pytest.mark.parametrize("name", public())
def test_a_public_function_looks_at_what_it_is_handed(name):
    call = public()[name]
    assert hasattr(call, "__wrapped__"), f"{name} is not typed"
    assert get_type_hints(call), "an annotation cannot be worked out"


@pytest.fixture(scope="module")
def made():
    """What the calls below take, in order."""
    world = load_world()
    log = world.log.select((world.log.frame["user"] < 12).to_numpy())
    catalogue = world.catalogue
    service = Service.build(log, catalogue, EASE(), stores=(EntityStore, recpilot.Rubric))
    evidence, page = service.evidence(3), service.report(3)
    claims, support = reports.make_claims(evidence, ranges=False)
    visits = recpilot.visits_of(log)
    sizes = {"hidden": 16, "inner": 32, "head_size": 8, "history": 40}
    vocabulary = recpilot.Vocabulary(visits.trajectories.actions, log.n_items)
    simulator = recpilot.Simulator(recpilot.SimulatorConfig(**sizes)).make(
        vocabulary, log.index_fingerprint
    )
    few = visits.select(np.arange(3))
    history = log.histories([3])
    rewards = recpilot.Rewards(np.eye(log.n_items), vocabulary)
    numbers = torch.rand(2, 4)
    config = recpilot.GRPOConfig(steps=1, shoppers=2, group=2)
    ids = history.interaction[-2:]
    told = ledger.forget(service, 3, ids, draws=0)
    case = ledger.Case.of(told, ledger.receipt(told, folders=()))
    said = {3: ledger.forecast(service, 3, ids)}
    pairs = {"tokens": pd.DataFrame({"start": [0], "end": [4]}), "report": page}
    high = pairs["tokens"].assign(token="Word", pir=1.0, claims=[()], written=False, word=0)
    told_of = few.trajectories
    owner = np.repeat(told_of.user, np.diff(told_of.offsets))
    rows = (told_of.item, told_of.action, owner, vocabulary)
    return {
        "by_deletion": {"score": lambda h, s: h.counts() @ np.ones(h.n_items), "history": history},
        "check": {"claims": claims, "evidence": evidence, "support": support},
        "count_words": {"text": "two words"},
        "dependence": {"support": support, "interactions": ids},
        "diff": {"before": page, "after": page, "removed": ids},
        "make_claims": {"evidence": evidence, "seed": 0, "ranges": False},
        "smallest_set": {
            "model": service.model,
            "history": history,
            "item": int(service.listed(3)[0]),
            "k": 10,
        },
        "write": {"evidence": evidence, "seed": 0, "ranges": False, "extra": None, "writer": None},
        "advantages": {"rewards": numbers},
        "agent": {"evidence": evidence},
        "draw": {
            "simulator": simulator,
            "histories": history,
            "n": 2,
            "top_p": 0.9,
            "temperature": 1.0,
            "grammar": True,
            "seed": 0,
            "common": False,
        },
        "grpo": {
            "simulator": simulator,
            "visits": few,
            "rewards": rewards,
            "config": config,
            "folder": None,
        },
        "load_simulator": {"folder": None},
        "nats": {"simulator": simulator, "visits": few, "histories": None},
        "press": {"service": service, "user": 3, "button": "owned", "item": 17, "time": None},
        "rank_aspects": {
            "items": np.arange(3),
            "weights": np.ones(4),
            "scores": np.ones((3, 4)),
            "largest": 2,
            "delta": 0.1,
        },
        "run_length": dict(zip(("item", "action", "visit", "vocabulary"), rows, strict=True)),
        "section_values": {"value": lambda page: np.ones(2) * len(page), "sections": ["a", "b"]},
        "swap_cost": {"simulator": simulator, "visits": few, "seed": 0},
        "swapped": {"histories": few.histories, "seed": 0},
        "using": {"kind": EntityStore},
        "value_of": {"choices": [recpilot.Choice(np.ones((2, 2)), np.ones(2), {"a": [0]})]},
        "agreement": {"forecasts": said, "fates": {3: told.fates}},
        "canaries": {"before": service, "after": told.services[1], "interactions": ids},
        "chained": {"receipts": [(case.receipt, case.key)]},
        "claimed_words": {"tokens": high, "report": page, "high": 0.8},
        "course": {
            "services": {"a": service},
            "user": 3,
            "requests": {"r": ids},
            "switches": None,
            "ways": None,
            "seed": 0,
            "draws": 0,
        },
        "deeds_told": {"evidence": evidence, "most": 3},
        "filed": {
            "memories": pd.DataFrame({"user": [3], "attribute": ["x"], "statement": ["y"]}),
            "topics": {"x": "tea"},
        },
        "forecast": {"service": service, "user": 3, "interactions": ids, "seed": 0},
        "forget": {
            "service": service,
            "user": 3,
            "interactions": ids,
            "switches": None,
            "topic": None,
            "seed": 0,
            "draws": 0,
            "way": None,
        },
        "ladder": {"service": service, "user": 3, "interactions": ids, "topic": None},
        "places": {"told": told, "folders": ()},
        "plant": {"case": case, "fault": "a changed digit"},
        "promises": {"case": case},
        "receipt": {"told": told, "reason": "sensitive", "distance": None, "folders": ()},
        "rungs": {"tiers": service.tiers},
        "scored": {"forecasts": said, "fates": {3: told.fates}},
        "with_claims": {**pairs, "evidence": evidence},
        "build": {
            "log": log,
            "catalogue": catalogue,
            "model": EASE(),
            "stores": (EntityStore,),
            "mask_seen": True,
            "unsaid": (),
            "agent": None,
            "forgetters": None,
            "verdicts": None,
            "writer": None,
        },
        "of": {
            "log": log,
            "catalogue": catalogue,
            "model": service.model,
            "user": 3,
            "stores": service.stores,
            "offers": None,
            "unsaid": (),
        },
    }


def test_nothing_foreign_is_raised(made):
    wrong = []
    calls = public() | {"build": Service.build, "of": reports.Evidence.of}
    for name, given in made.items():
        try:
            repr(calls[name](**given))
        except Exception as error:
            wrong.append(f"GOOD {name}: {error!r:.300}")
        for argument in given.keys() - LONG:
            for other in FOREIGN:
                try:
                    repr(calls[name](**given | {argument: other}))
                except WorkbenchError as error:
                    assert str(error)
                except Exception as error:
                    wrong.append(f"{name}({argument}={other!r:.20}): {error!r:.90}")
    assert not wrong, "\n".join(wrong)
