"""The grid: the same as a stream in memory, stopped and gone on with anywhere, asked again."""

import importlib
import linecache
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from workbench import ledger
from workbench.cli import app
from workbench.errors import ConfigError, DataError
from workbench.runs import folder_of
from workbench.unlearning.grid import plan
from workbench.unlearning.grid_cells import fit, load_model, serve
from workbench.unlearning.grid_config import Asked, Grid, Source
from workbench.unlearning.grid_names import method_of, must_fit, scenario_of, situation
from workbench.unlearning.grid_run import GRIDS, kept_grid, kept_own, read_grid, run_grid, status
from workbench.unlearning.grid_table import (
    HEAD,
    _note,
    apart,
    as_latex,
    costs,
    kept_models,
    outcomes,
    summary,
    undertrained,
    verdicts,
)
from workbench.unlearning.measures import continued, measures
from workbench.unlearning.outcome import weights
from workbench.unlearning.stream import stream

BPR = {"l2": 0.01, "training": {"epochs": 2, "batch": 2048, "learning_rate": 5e-3}}
GRID = Grid(
    name="tiny",
    models={"BPR": BPR},
    algorithms={"no_op": {}, "fine_tune": {}, "retrain": {"batch": 3}, "tombstone": {}},
    asked=(Asked(topic="Baby & pregnancy", n=5),),
    retrain_seeds=(11, 12),
    checkpoints=2,
)
COSTS = ["seconds", "peak_mb", "pays_until"]


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("grid") / "tiny"
    found = run_grid(plan(GRID), folder)
    assert found["left"].tolist() == [0, 0, 0, 0]
    return folder


@pytest.fixture
def own(grid, tmp_path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(grid, tmp_path / "grid"))


def steps(name: str) -> list:
    return [one for one in plan(GRID).steps if one.algorithm == name]


def same(one: pd.DataFrame, two: pd.DataFrame) -> None:
    drop = {"columns": COSTS, "errors": "ignore"}
    pd.testing.assert_frame_equal(one.drop(**drop), two.drop(**drop))


@pytest.mark.parametrize("name", ["fine_tune", "retrain"])
def test_a_chain_is_the_stream_in_memory(grid, name):
    its = steps(name)
    task = situation(its[0].source, "collaborative")
    scenario = scenario_of(its[0].source, "collaborative", its[0].asked)
    base = load_model(folder_of(its[0].base(), fit, grid) / "model")
    found = stream(method_of(dict(its[0])), base, scenario, its[0].seed, 2)
    kept = {one.request + 1: folder_of(one, serve, grid) for one in its}
    for mark in its[0].marks:
        end = min(end for end in kept if end >= mark)
        table = pd.read_parquet(kept[end] / "measures.parquet").query(f"done == {mark}")
        expected = measures(found.models[mark], scenario, mark)
        got = table[["measure", "unit", "value"]].reset_index(drop=True)
        pd.testing.assert_frame_equal(got, expected, check_dtype=False)
    last = load_model(kept[max(kept)] / "model")
    for weight, value in weights(found.models[its[0].marks[-1]]).items():
        np.testing.assert_array_equal(weights(last)[weight], value)
    assert len(task.train) == len(scenario.train(0))


def test_models_of_the_last_two_requests_and_of_checkpoints_are_kept(grid):
    its = steps("fine_tune")
    kept = [one.request + 1 for one in its if (folder_of(one, serve, grid) / "model").is_dir()]
    assert its[0].marks == (2, 5) and kept == [2, 4, 5]


@pytest.mark.parametrize("gone", [[3], [1, 2], [0, 1, 2, 3, 4], [4]])
def test_requests_that_are_gone_are_served_again_the_same(grid, own, gone):
    its = steps("fine_tune")
    for request in gone:
        shutil.rmtree(folder_of(its[request], serve, own))
    assert status(plan(GRID), own)["left"].sum() == len(gone)
    run_grid(plan(GRID), own)
    same(summary(plan(GRID), own), summary(plan(GRID), grid))
    for mark in (2, 5):
        was, now = (folder_of(its[mark - 1], serve, where) for where in (grid, own))
        assert (was / "model/arrays.safetensors").read_bytes() == (
            now / "model/arrays.safetensors"
        ).read_bytes()


def test_another_metric_is_asked_of_what_is_kept(grid, monkeypatch):
    monkeypatch.setattr("workbench.unlearning.grid_cells.fitted_copy", None)

    def norm(model, scenario, done):
        value = [float(np.square(value).sum()) for value in weights(model).values()]
        return pd.DataFrame({"measure": "deleted", "unit": range(len(value)), "value": value})

    found = verdicts(plan(GRID), grid, norm)
    own = found[(found["method"] == "fine_tune") & (found["checkpoint"] == 5)]
    assert own["measure"].eq("deleted").all() and len(own) == 1
    model = load_model(folder_of(steps("fine_tune")[-1], serve, grid) / "model")
    assert own["unlearned"].item() == pytest.approx(norm(model, None, 5)["value"].mean())


def test_the_table_marks_costs_equal_methods_and_what_is_undertrained(grid):
    made = plan(GRID)
    table = summary(made, grid)
    names = ["no-op", "fine_tune", "retrain ×3", "tombstone", "retrain, held out"]
    assert table["method"].tolist() == names
    assert table["note"].str.startswith("undertrained").all()
    assert undertrained(made, grid)[["model", "rival"]].values.tolist() == [["BPR", "EASE"]]
    money = costs(made, grid).set_index("method")
    assert money.loc["no-op", ["requests", "no-op"]].tolist() == [5, 5]
    assert money.loc["retrain ×3", ["requests", "done"]].tolist() == [5, 2]
    pairs = apart(made, grid)
    assert not pairs["same"].any() and len(pairs) == 3, "a tombstone is another kind of model"
    text = as_latex(table)
    assert r"\begin{tabular}" in text and "[" in text and r"fine\_tune" in text


def test_what_a_retrain_costs_is_counted_in_requests_and_not_in_batches(own):
    """Three and two requests are two lines; one that has failed has cost and is not served."""
    made, its = plan(GRID), steps("retrain")
    trained = [folder_of(one, fit, own) / "result.parquet" for one in made.retrains]
    for path in trained:
        pd.read_parquet(path).assign(train_seconds=10.0).to_parquet(path)
    for one, seconds in zip(its, (6.0, 4.0), strict=True):
        path = folder_of(one, serve, own) / "result.parquet"
        pd.read_parquet(path).assign(seconds=seconds).to_parquet(path)
    money = costs(made, own).set_index("method").loc["retrain ×3"]
    # ten seconds, five requests
    assert money[["requests", "seconds", "pays_until"]].tolist() == [5, 2.0, 5.0]
    pd.read_parquet(path).assign(status="failed").to_parquet(path)
    money = costs(made, own).set_index("method").loc["retrain ×3"]
    assert money["failed"] == 1
    assert money[["requests", "seconds", "pays_until"]].tolist() == [5, 10 / 3, 3.0]


def test_equal_results_are_marked(tmp_path):
    both = GRID.model_copy(
        update={"algorithms": {"no_op": {}, "workbench.unlearning.algorithms:no_op": {}}}
    )
    run_grid(plan(both), tmp_path)
    notes = summary(plan(both), tmp_path)["note"]
    assert notes[0] == "undertrained; same as workbench.unlearning.algorithms:no-op"


def test_a_full_disk_is_a_failed_cell_and_the_others_go_on(own, grid, monkeypatch):
    from workbench.recommend import BPR as Model

    its, real = steps("fine_tune"), Model.save
    shutil.rmtree(folder_of(its[3], serve, own))
    shutil.rmtree(folder_of(its[4], serve, own))
    shutil.rmtree(folder_of(steps("no_op")[4], serve, own))

    def full(self, folder):
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(Model, "save", full)
    with pytest.warns(UserWarning, match="cannot be written .*make room"):
        found = run_grid(plan(GRID), own).set_index("cells").loc["requests"]
    assert (found["left"], found["failed"]) == (3, 2)
    assert not (folder_of(its[3], serve, own) / "result.parquet").exists()
    monkeypatch.setattr(Model, "save", real)
    with pytest.warns(UserWarning, match="3 of"):  # what failed is left alone, unless asked
        run_grid(plan(GRID), own)
    run_grid(plan(GRID), own, retry_failed=True)
    same(summary(plan(GRID), own), summary(plan(GRID), grid))


def test_purge_takes_the_rows_of_a_person_out_of_what_was_measured(own):
    one = folder_of(steps("fine_tune")[4], serve, own) / "measures.parquet"
    code = int(pd.read_parquet(one)["user"].iloc[0])
    found = ledger.purge(f"nobody {code}", own, code=code)
    touched = found[found["removed"] > 0]
    assert touched["file"].str.endswith("measures.parquet").all() and len(touched) > 10
    assert code not in set(pd.read_parquet(one)["user"])
    # the grid can still be read: the person counts no more
    assert summary(plan(GRID), own)["n"].iloc[0] == 4


def test_wrong_grids_are_refused_before_the_work(tmp_path, grid):
    for wrong in ({"models": {"GPT": {}}}, {"models": {"BPR": {"size": 1}}}):
        with pytest.raises(ConfigError):
            plan(GRID.model_copy(update=wrong))
    for name in ("nothing", "workbench.nowhere:mine", "no_op:mine"):
        with pytest.raises(ConfigError, match="no algorithm"):
            plan(GRID.model_copy(update={"algorithms": {name: {}}}))
    (tmp_path / "a.toml").write_text('name = "a"\n[modles]\n')
    with pytest.raises(ConfigError, match=r"a\.toml"):
        read_grid(tmp_path / "a.toml")
    with pytest.raises(ConfigError, match=r"name a TOML file, or one of .*smoke"):
        read_grid("smok")
    with pytest.raises(DataError, match="no grid"):
        kept_grid(tmp_path)
    with pytest.raises(ConfigError, match="another grid was begun here"):
        run_grid(plan(GRID.model_copy(update={"margin": 0.02})), grid)


def test_a_grid_may_grow_in_its_folder(own):
    more = GRID.model_copy(update={"algorithms": GRID.algorithms | {"warm_start": {"batch": 5}}})
    made = plan(more)
    assert status(made, own)["left"].tolist() == [0, 0, 0, 1]
    run_grid(made, own)
    assert kept_grid(own) == more and "warm_start ×5" in set(summary(made, own)["method"])
    with pytest.raises(ConfigError, match="another grid was begun here"):
        run_grid(plan(GRID), own)


def test_ones_own_algorithm_is_another_cell_when_its_text_changes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_way", raising=False)
    grid = GRID.model_copy(update={"algorithms": {"my_way:mine": {}}})
    found = []
    for body in ("pass", "pass  # a remark", "model.rebuild(before)"):
        text = f"def mine(model, before, request, config=None, seed=0):\n    {body}\n"
        (tmp_path / "my_way.py").write_text(text, encoding="utf-8")
        sys.modules.pop("my_way", None)
        linecache.clearcache()
        importlib.invalidate_caches()
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
        found.append(plan(grid).steps[0].code)
    assert found[0] == found[1] != found[2] and len(found[0]) == 16
    assert {one.code for one in plan(GRID).steps} == {""}
    sys.modules.pop("my_way", None)


def test_kept_models_are_those_of_the_last_checkpoint(grid):
    found, retrained, scenario = kept_models(plan(GRID), grid, "BPR")
    assert list(found) == ["no-op", "fine_tune", "retrain ×3", "tombstone"]
    assert len(retrained) == 2 and len(scenario.requests) == 5
    lines = outcomes(plan(GRID), grid)
    assert lines["method"].value_counts().to_dict() == {
        "no-op": 5,
        "fine_tune": 5,
        "tombstone": 5,
        "retrain ×3": 2,
    }


@pytest.mark.parametrize(
    "wrong",
    [{"name": "../x"}, {"retrain_seeds": ()}, {"models": {}}],
    ids=["name", "seeds", "models"],
)
def test_a_grid_that_could_give_no_table_is_none(wrong):
    with pytest.raises(ValidationError):
        Grid(**(GRID.model_dump() | wrong))


def test_wrong_names_are_told_what_there_is():
    with pytest.raises(ConfigError, match="near to it: fine_tune"):
        plan(GRID.model_copy(update={"algorithms": {"fine_tuna": {}}}))
    with pytest.raises(ConfigError, match=r"one of .*BPR.*SASRec"):
        plan(GRID.model_copy(update={"models": {"GPT": {}}}))
    two = {"BPR": {"training": {"epochs": "two"}}}
    with pytest.raises(ConfigError, match=r"training\.epochs = 'two'"):
        plan(GRID.model_copy(update={"models": two}))


def test_the_shipped_grid_is_the_smoke_grid_of_126_cells():
    smoke = read_grid("smoke")
    controls = {"no_op", "half_way", "sign_flip"}
    assert controls < set(smoke.algorithms)
    seven = set(smoke.algorithms) - controls
    assert len(smoke.models) * len(seven) * len(smoke.modes) == 126
    assert not smoke.ranking and len(smoke.retrain_seeds) == 5 and smoke.as_in_fork["steps"] == 50


def test_commands_say_what_it_takes_ask_and_show(grid, tmp_path):
    text = kept_grid(grid).model_dump_json()
    assert Grid.model_validate_json(text) == GRID
    shown = CliRunner().invoke(app, ["unlearn", "status", str(grid)])
    assert shown.exit_code == 0 and "requests" in shown.output
    files = ["--csv", str(tmp_path / "a.csv"), "--latex", str(tmp_path / "a.tex")]
    told = CliRunner().invoke(app, ["unlearn", "table", str(grid), *files])
    assert told.exit_code == 0 and "fine_tune" in told.output, told.output
    assert len(pd.read_csv(tmp_path / "a.csv")) == 5 and (tmp_path / "a.tex").is_file()


@pytest.mark.parametrize("kind", ["mistakes", "accounts"])
def test_without_a_number_everybody_who_can_asks(kind):
    few, everyone = (
        scenario_of(Source(), "collaborative", Asked(kind=kind, n=n)) for n in (5, None)
    )
    assert len(few.requests) == 5 and len(everyone.requests) > 95


def test_people_of_a_group_are_counted_one_by_one():
    asked = Asked(kind="mistakes", n=10, together=4)
    assert len(scenario_of(Source(), "collaborative", asked).requests) == 3
    few, many = (
        GRID.model_copy(update={"asked": (Asked(kind="mistakes", n=n, together=4),)})
        for n in (10, 9_000)
    )
    assert not plan(few).notes
    assert "9,000 asked for" in plan(many).notes[0]
    assert len({step.request for step in plan(few).steps}) == 3


def test_a_placebo_is_the_same_people_with_rows_outside_the_topic():
    own = Asked(topic="Baby & pregnancy", n=5)
    one, two = (
        scenario_of(Source(), "collaborative", own.model_copy(update={"kind": kind}))
        for kind in ("sensitive", "placebo")
    )
    assert two.name == "placebo Baby & pregnancy"
    assert [len(r) for r in one.requests] == [len(r) for r in two.requests]
    assert not set(one.items) & set(two.items)


def test_help_names_every_shipped_grid():
    told = " ".join(CliRunner().invoke(app, ["unlearn", "run", "--help"]).output.split())
    assert all(path.stem in told for path in GRIDS.glob("*.toml"))


MINE = """
from pathlib import Path

from pydantic import BaseModel

Path({mark!r}).touch()


class Mine(BaseModel, frozen=True):
    mode: str = "corrected"
    rates: tuple[float, ...] = (0.1, 1e-7)


def mine(model, before, request, config: Mine | None = None, seed=0):
    pass
"""


@pytest.fixture
def stranger(tmp_path, monkeypatch) -> Path:
    """A module that leaves a mark when it is imported, and a grid that names it."""
    (tmp_path / "strange.py").write_text(MINE.format(mark=str(tmp_path / "imported")))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "strange", raising=False)
    (tmp_path / "a.toml").write_text(
        'name = "a"\nretrain_seeds = [11, 12]\ncheckpoints = 1\n'
        '[[asked]]\ntopic = "Baby & pregnancy"\nn = 2\n[models.BPR]\nl2 = 0.01\n'
        '[models.BPR.training]\nepochs = 1\n[algorithms.no_op]\n[algorithms."strange:mine"]\n'
    )
    yield tmp_path
    sys.modules.pop("strange", None)


def test_a_module_that_a_file_names_is_imported_only_with_consent(stranger):
    mark, runs = stranger / "imported", str(stranger / "runs")
    line = ["unlearn", "run", str(stranger / "a.toml"), "--folder", runs]
    refused = CliRunner().invoke(app, [*line, "--yes"])
    assert isinstance(refused.exception, ConfigError), refused.output
    assert "strange:mine" in str(refused.exception) and "--own" in str(refused.exception)
    assert not mark.exists()
    done = CliRunner().invoke(app, [*line, "--yes", "--own"])
    assert done.exit_code == 0 and "not of the workbench: strange:mine" in done.output
    assert mark.exists()
    # what is finished is read without it
    mark.unlink()
    sys.modules.pop("strange")
    for command in ("status", "table"):
        shown = CliRunner().invoke(app, ["unlearn", command, runs])
        assert shown.exit_code == 0 and not mark.exists(), shown.output
    assert "strange:mine as in fork" in shown.output
    there = plan(kept_grid(runs), kept_own(runs))
    assert there.notes == () and status(there, runs)["left"].sum() == 0
    (stranger / "runs" / "own.json").unlink()
    for command in ("status", "table"):
        shown = CliRunner().invoke(app, ["unlearn", command, runs])
        assert "strange:mine: not run yet, and not imported" in shown.output
        assert shown.exit_code == 0 and not mark.exists()
    (stranger / "runs" / "own.json").write_text('[{"algorithm": 3}]')
    with pytest.raises(DataError, match=r"own\.json"):
        kept_own(runs)


def mine(model, before, request, config=None, seed=0):
    """An algorithm of a notebook."""


def test_an_algorithm_of_a_notebook_stays_in_its_process(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["__main__"], "mine", mine, raising=False)
    ours = GRID.model_copy(update={"algorithms": {"__main__:mine": {}}, "checkpoints": 1})
    with pytest.raises(ConfigError, match=r"__main__:mine is of this notebook.*n_jobs=1"):
        run_grid(plan(ours), tmp_path, 2)
    assert not list(tmp_path.iterdir())
    (tmp_path / "grid.json").write_text(ours.model_dump_json())
    told = CliRunner().invoke(app, ["unlearn", "run", str(tmp_path), "--own", "--yes"])
    assert isinstance(told.exception, ConfigError) and "of a notebook" in str(told.exception)
    shown = CliRunner().invoke(app, ["unlearn", "status", str(tmp_path)])
    assert shown.exit_code == 0 and "__main__:mine: not run yet" in shown.output


WRONG = {
    "no function": ({"math:pi": {}}, {}, "no algorithm 'math:pi'.*float, not a function"),
    "relative": ({".x:f": {}}, {}, "no algorithm '.x:f'"),
    "all": ({"__all__": {}}, {}, "no algorithm '__all__'.*name one of ascent"),
    "a config": ({"SCIFConfig": {}}, {}, "no algorithm 'SCIFConfig'.*ModelMetaclass.* scif,"),
    "another argument": ({"sharded": {}}, {}, "no algorithm 'sharded'"),
    "text": ({"scif": {"batch": "x"}}, {}, "algorithms.scif: batch = 'x'.*a number from 1"),
    "zero": ({"scif": {"batch": 0}}, {}, "algorithms.scif: batch = 0"),
    "training": ({"scif": {}}, {"BPR": {"training": 3}}, "models.BPR: training = 3"),
    "does not fit": ({"scif": {}}, {"EASE": {}}, "scif cannot be done on EASE.*tombstone"),
    "mode": ({"scif": {"mode": "x"}}, {}, "algorithms.scif.*mode"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_file_gets_wrong_is_told_with_its_field(name):
    algorithms, models, said = WRONG[name]
    update = {"algorithms": algorithms} | ({"models": models} if models else {})
    if name == "mode":
        update = {"algorithms": {"scif": {}}, "modes": ("x",)}
    with pytest.raises(ConfigError, match=said):
        plan(GRID.model_copy(update=update))


def test_a_grid_without_modes_is_none(tmp_path):
    (tmp_path / "a.toml").write_text("modes = []\nasked = [{}]\n[models.BPR]\n[algorithms.scif]\n")
    with pytest.raises(ConfigError, match=r"a\.toml, modes"):
        read_grid(tmp_path / "a.toml")
    with pytest.raises(ConfigError, match="modes: no mode for scif"):
        plan(GRID.model_copy(update={"algorithms": {"scif": {}}, "modes": ()}))


def test_fewer_people_than_were_asked_for_are_told():
    many = GRID.model_copy(update={"asked": (Asked(topic="Baby & pregnancy", n=3000),)})
    (note,) = plan(many).notes
    assert "3,000 asked for" in note and note.endswith("can ask")
    assert plan(GRID).notes == ()


@pytest.mark.parametrize("name", ["smoke", "laptop_films", "laptop_clicks", "laptop_baskets"])
def test_shipped_algorithms_fit_the_models_of_a_shipped_grid(name):
    grid = read_grid(name)
    for model in grid.models:
        for algorithm in grid.algorithms:
            must_fit(algorithm, model)


def test_few_sessions_and_undertrained_bases_are_said_of_their_own_row(grid):
    rows = [{"data": "a", "model": "SASRec", "sessions": 199}, {"data": "b", "model": "SASRec"}]
    rows = [dict.fromkeys(HEAD) | row | {"method": "no-op"} for row in rows]
    pairs = pd.DataFrame(columns=[*HEAD, "one", "other"])
    said = [_note(row, pairs, {("b", "SASRec")}) for row in rows]
    assert said == [
        "199 continued sessions asked, fewer than 200: they tell little",
        "undertrained",
    ]
    assert verdicts(plan(GRID), grid)["sessions"].isna().all(), "a task without sessions"


def test_sessions_are_counted_in_the_table_of_a_grid(tmp_path):
    once = {"epochs": 1, "batch": 2048}
    few = GRID.model_copy(update={"models": {"SASRec": {"training": once}}, "checkpoints": 1})
    few = few.model_copy(update={"algorithms": {"no_op": {}}})
    run_grid(plan(few), tmp_path)
    table = summary(plan(few), tmp_path)
    scenario = scenario_of(Source(), "session", few.asked[0])
    assert table["sessions"].eq(continued(scenario, 5)).all()
    assert table["note"].str.contains("continued sessions asked, fewer than 200").all()
