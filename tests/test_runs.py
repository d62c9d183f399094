"""Grids that survive being stopped."""

import functools
import hashlib
import json
import linecache
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from workbench.data import load_world
from workbench.errors import ConfigError, DataError, RunError
from workbench.runs import config_hash, is_done, read, rescore, run


class Config(BaseModel):
    """A cell of a grid."""

    model_config = ConfigDict(frozen=True)
    n: int = 0
    name: str = ""
    several: tuple[int, ...] = (1, 2)


CONFIGS = [Config(n=n) for n in range(4)]


def square(config: Config) -> pd.DataFrame:
    return pd.DataFrame({"value": [config.n**2, -config.n]})


def square_and_leave(config: Config, folder: Path) -> pd.DataFrame:
    (folder / "left.txt").write_text(str(config.n), encoding="utf-8")
    return square(config)


def times(config: Config, *, factor: int) -> pd.DataFrame:
    return pd.DataFrame({"value": [factor * config.n]})


def fail_at_two(config: Config) -> pd.DataFrame:
    if config.n == 2 and not (Path(config.name) / "mended").exists():
        raise RuntimeError("two")
    return square(config)


def count_calls(config: Config) -> pd.DataFrame:
    with open(config.name, "a", encoding="utf-8") as file:
        file.write("x")
    return square(config)


def named(config: Config) -> pd.DataFrame:
    return square(config)


class Other(Config):
    """Another config with the same fields."""


def place(folder: Path, config: Config, function=square, **more) -> Path:
    return folder / config_hash(config, function, **more)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_all_results_below_each_other(tmp_path, n_jobs):
    table = run(CONFIGS, square, tmp_path, n_jobs)
    assert list(table.columns) == ["run", "n", "name", "several", "value"]
    assert table["value"].tolist() == [0, 0, 1, -1, 4, -2, 9, -3]
    assert table["several"].unique().tolist() == ["[1, 2]"]
    manifest = json.loads((place(tmp_path, CONFIGS[3]) / "manifest.json").read_text())
    assert manifest["config"] == CONFIGS[3].model_dump(mode="json") and manifest["rows"] == 2
    assert manifest["function"].endswith(".square") and manifest["config_class"].endswith(".Config")


def test_what_is_there_is_not_done_again(tmp_path):
    calls = tmp_path / "calls"
    configs = [Config(n=n, name=str(calls)) for n in range(3)]
    table = run(configs, count_calls, tmp_path)
    pd.testing.assert_frame_equal(table, run(configs, count_calls, tmp_path))
    assert calls.read_text() == "xxx"
    run(configs, count_calls, tmp_path, version="2")
    assert calls.read_text() == "x" * 6


class Callable:
    """A function with a state."""

    def __call__(self, config):
        return square(config)

    def method(self, config):
        return square(config)


@pytest.mark.parametrize(
    "function", [functools.partial(times, factor=10), Callable(), Callable().method, "square"]
)
def test_what_a_function_holds_beside_its_config_is_no_part_of_a_run(tmp_path, function):
    with pytest.raises(ConfigError, match=r"bound arguments, or a state|a str cannot be used"):
        run(CONFIGS, function, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_failed_run_is_told_when_the_others_are_done(tmp_path, n_jobs):
    configs = [Config(n=n, name=str(tmp_path)) for n in range(4)]
    with pytest.raises(
        RunError, match=r"1 of 4 runs failed: \w{12} Config\(n=2.*RuntimeError: two"
    ):
        run(configs, fail_at_two, tmp_path / "runs", n_jobs)
    places = [place(tmp_path / "runs", config, fail_at_two) for config in configs]
    assert [len(read(where)) for where in (places[0], places[1], places[3])] == [2, 2, 2]
    told = json.loads((places[2] / "failed.json").read_text())
    assert told["config"]["n"] == 2 and told["error"] == "RuntimeError: two"
    assert "in fail_at_two" in told["traceback"]
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == sorted(p.name for p in places)
    with pytest.raises(DataError, match="no finished run"):
        read(places[2])
    done = [is_done(config, fail_at_two, tmp_path / "runs") for config in configs]
    assert done == [True, True, False, True]
    (tmp_path / "mended").touch()
    assert len(run(configs, fail_at_two, tmp_path / "runs")) == 8
    assert sorted(p.name for p in places[2].iterdir()) == ["manifest.json", "result.parquet"]


def test_another_function_class_version_or_log_is_another_run(tmp_path):
    run(CONFIGS, square, tmp_path)
    assert run(CONFIGS[:1], square_and_leave, tmp_path)["run"][0] not in config_hash(
        CONFIGS[0], square
    )
    others = {
        config_hash(CONFIGS[0], square),
        config_hash(CONFIGS[0], named),
        config_hash(Other(), square),
        config_hash(CONFIGS[0], square, "2"),
        config_hash(CONFIGS[0], square, "1", "abc"),
        config_hash(CONFIGS[1], square),
    }
    assert len(others) == 6
    log = load_world().log
    assert config_hash(CONFIGS[0], square, data=log) == config_hash(
        CONFIGS[0], square, data=log.fingerprint
    )
    with pytest.raises(ConfigError, match="appears twice"):
        run([CONFIGS[0], CONFIGS[0]], square, tmp_path)


def made(text: str, folder: Path):
    """The function `cell` of a file that was written anew."""
    path = folder / "cells.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    linecache.clearcache()
    spaces = {"pd": pd, "__name__": "cells"}
    exec(compile(path.read_text(), str(path), "exec"), spaces)
    return spaces["cell"]


def test_results_of_a_function_that_was_changed_are_not_passed_off(tmp_path):
    runs = tmp_path / "runs"
    first = made('def cell(config):\n    return pd.DataFrame({"v": [1]})\n', tmp_path)
    assert run(CONFIGS[:1], first, runs)["v"].tolist() == [1]
    same = 'def cell(config):\n    # a comment\n    return pd.DataFrame(\n        {"v": [1]})\n'
    assert run(CONFIGS[:1], made(same, tmp_path), runs)["v"].tolist() == [1]
    second = made('def cell(config):\n    return pd.DataFrame({"v": [2]})\n', tmp_path)
    for again in (run, partial_rescore):
        with pytest.raises(ConfigError, match=r"made by cells\.cell before its source changed"):
            again(CONFIGS[:1], second, runs)
    # the remedies work
    assert run(CONFIGS[:1], second, runs, keep=True)["v"].tolist() == [1]
    assert run(CONFIGS[:1], second, runs, version="2")["v"].tolist() == [2]
    assert len(list(runs.iterdir())) == 2


def partial_rescore(configs, function, folder):
    return rescore(configs, lambda config, folder: pd.DataFrame(), folder, of=function)


def test_a_plain_value_that_a_function_holds_counts_as_its_source(tmp_path):
    def times_by(factor):
        def cell(config: Config) -> pd.DataFrame:
            return pd.DataFrame({"v": [config.n * factor]})

        return cell

    assert run(CONFIGS[1:2], times_by(2), tmp_path)["v"].tolist() == [2]
    with pytest.raises(ConfigError, match="before its source changed"):
        run(CONFIGS[1:2], times_by(3), tmp_path)


def spoil(where: Path, how: str) -> None:
    result, manifest = where / "result.parquet", where / "manifest.json"
    facts = json.loads(manifest.read_text())
    if how == "cut":
        result.write_bytes(result.read_bytes()[:50])
    elif how == "empty":
        result.write_bytes(b"")
    elif how == "gone":
        result.unlink()
    elif how == "no manifest":
        manifest.unlink()
    elif how == "list":
        manifest.write_text("[]")
    else:
        change = {"rows": 9} if how == "rows" else {how: "other"}
        manifest.write_text("" if how == "no text" else json.dumps(facts | change))


@pytest.mark.parametrize(
    "how",
    ["cut", "empty", "gone", "no manifest", "list", "no text", "rows", "version", "config"],
)
def test_a_damaged_result_is_named_and_made_again(tmp_path, how):
    table = run(CONFIGS[:2], square, tmp_path)
    where = place(tmp_path, CONFIGS[0])
    spoil(where, how)
    with pytest.raises(DataError, match=f"{where.name}: a damaged run"):
        read(where)
    with pytest.warns(UserWarning, match=f"{where.name}: a damaged run .* It is made again"):
        again = run(CONFIGS[:2], square, tmp_path)
    pd.testing.assert_frame_equal(table, again)
    assert len(read(where)) == 2


def test_what_a_reader_left_in_a_damaged_folder_stays(tmp_path):
    run(CONFIGS[:1], square, tmp_path)
    where = place(tmp_path, CONFIGS[0])
    (where / "result.parquet").write_bytes(b"")
    (where / "notes.txt").write_text("mine")
    with pytest.warns(UserWarning), pytest.raises(RunError, match=r"holds notes\.txt"):
        run(CONFIGS[:1], square, tmp_path)
    assert (where / "notes.txt").read_text() == "mine"


def test_results_of_before_are_told_of_and_left(tmp_path):
    old = {"config": CONFIGS[0].model_dump(mode="json"), "version": "1", "data": ""}
    text = json.dumps(old, sort_keys=True, separators=(",", ":"))
    folder = tmp_path / hashlib.sha256(text.encode()).hexdigest()
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    with pytest.warns(UserWarning, match=f"1 results from before .*{folder.name}.*left as they"):
        assert len(run(CONFIGS, square, tmp_path)) == 8
    assert (folder / "manifest.json").read_text() == "{}"


def returns(config: Config):
    """What a function may hand back, by the name of its config."""
    frame = pd.DataFrame({"v": [1, 2]})
    kinds = {
        "dict": {"v": [1]},
        "nothing": None,
        "a column run": frame.assign(run=2),
        "mixed": pd.DataFrame({"v": [1, "a"]}),
        "named": frame.set_index(pd.Index([0, 1], name="user")),
        "labels": frame.set_axis(["a", "b"]),
        "numbers": frame.set_axis([5, 7]),
        "two": frame.set_index(pd.MultiIndex.from_tuples([(1, 2), (3, 4)], names=["a", "b"])),
        "counts": frame,
    }
    return kinds[config.name]


@pytest.mark.parametrize("kind", ["dict", "nothing", "a column run", "mixed"])
def test_what_is_no_table_of_results_is_a_failed_run(tmp_path, kind):
    with pytest.raises(RunError, match=r"1 of 1 runs failed: .*(returned|Arrow)"):
        run([Config(name=kind)], returns, tmp_path)


@pytest.mark.parametrize(
    ("kind", "columns"),
    [("named", ["user"]), ("labels", ["index"]), ("numbers", ["index"]), ("two", ["a", "b"])],
)
def test_an_index_that_says_something_becomes_a_column(tmp_path, kind, columns):
    table = run([Config(name=kind)], returns, tmp_path)
    assert list(table.columns) == ["run", "n", "name", "several", *columns, "v"]
    plain = run([Config(name="counts")], returns, tmp_path)
    assert list(plain.columns) == ["run", "n", "name", "several", "v"]


class Rate(BaseModel):
    """A config with a number that may be none."""

    rate: float = 0.0


class Run(BaseModel):
    """A config with a field of a taken name."""

    run: int = 0


@pytest.mark.parametrize(
    ("config", "data"),
    [
        (Rate(rate=float("nan")), ""),
        (Config(name="\ud800"), ""),
        ({"n": 1}, ""),
        (None, ""),
        (Config(), pd.DataFrame()),
        (Run(), ""),
    ],
)
def test_what_cannot_name_a_run_is_refused_before_it(tmp_path, config, data):
    with pytest.raises(ConfigError, match="configs"):
        run([config], square, tmp_path, data=data)
    with pytest.raises(ConfigError, match="configs"):
        run(config, square, tmp_path)  # no list
    assert not list(tmp_path.iterdir())


@given(st.integers(), st.text())
def test_a_hash_depends_on_nothing_but_content(n, name):
    assert config_hash(Config(n=n, name=name), square) == config_hash(
        Config(name=name, n=n, several=(1, 2)), square
    )


def test_another_metric_without_another_run(tmp_path):
    run(CONFIGS, square_and_leave, tmp_path)

    def metric(config: Config, folder: Path) -> pd.DataFrame:
        return pd.DataFrame({"twice": [2 * int((folder / "left.txt").read_text())]})

    of = {"of": square_and_leave}
    assert rescore(CONFIGS, metric, tmp_path, **of)["twice"].tolist() == [0, 2, 4, 6]
    with pytest.raises(DataError, match="no finished run"):
        rescore([Config(n=9)], metric, tmp_path, **of)
    with pytest.raises(DataError, match="no finished run"):
        read(tmp_path)


GRID = """
    import signal
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a parent in the background may ignore Ctrl-C
    import sys, time
    from pathlib import Path
    import pandas as pd
    from pydantic import BaseModel, ConfigDict
    from workbench.runs import run

    class Config(BaseModel):
        model_config = ConfigDict(frozen=True)
        n: int

    def slow(config):
        with open(Path(sys.argv[1]) / "log.txt", "a") as file:
            file.write(f"{config.n}\\n")
        if config.n == int(sys.argv[2]):
            time.sleep(60)
        return pd.DataFrame({"value": [config.n]})

    if __name__ == "__main__":
        table = run([Config(n=n) for n in range(5)], slow, Path(sys.argv[1]) / "runs")
        print("finished", table["value"].tolist())
"""


@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_resumes_where_it_was_stopped(tmp_path, how):
    script = tmp_path / "grid.py"
    script.write_text(textwrap.dedent(GRID), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}

    def command(stuck: int) -> list[str]:
        return [sys.executable, str(script), str(tmp_path), str(stuck)]

    child = subprocess.Popen(command(3), env=environment, stderr=subprocess.DEVNULL)
    log = tmp_path / "log.txt"
    for _ in range(600):
        if log.exists() and "3" in log.read_text():
            break
        time.sleep(0.1)
    if how == "interrupt" and os.name != "nt":
        child.send_signal(signal.SIGINT)
    else:
        child.kill()
    child.wait(timeout=30)
    finished = [p for p in (tmp_path / "runs").iterdir() if not p.name.startswith(".partial")]
    assert len(finished) == 3 and all((p / "manifest.json").is_file() for p in finished)
    second = subprocess.run(
        command(-1), env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert "finished [0, 1, 2, 3, 4]" in second.stdout
    assert log.read_text().split() == ["0", "1", "2", "3", "3", "4"], (
        "only what was missing is done again"
    )


def test_leftovers_of_the_dead_are_swept(tmp_path):
    old, young = tmp_path / ".partial-old", tmp_path / ".partial-young"
    old.mkdir(), young.mkdir()
    day = time.time() - 2 * 24 * 3600
    os.utime(old, (day, day))
    run(CONFIGS[:1], square, tmp_path)
    assert not old.exists() and young.exists()


def test_jobs_and_backends_that_there_are_not_are_refused_before_the_work(tmp_path):
    for wrong in ({"n_jobs": 0}, {"n_jobs": "2"}, {"engine": "dusk"}):
        with pytest.raises(ConfigError, match=r"n_jobs|engine"):
            run([Config()], square, tmp_path, **wrong)
    with pytest.raises(ConfigError, match=r"What to do: pass \[config\]"):
        run(Config(), square, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_manifest_nested_without_end_is_a_damaged_run(tmp_path):
    run([Config()], square, tmp_path)
    (tmp_path / config_hash(Config(), square) / "manifest.json").write_text("[" * 100_000)
    with pytest.warns(UserWarning, match="a damaged run"):
        assert len(run([Config()], square, tmp_path)) == 2


def test_what_is_scored_again_is_looked_at_as_what_was_run(tmp_path):
    run([Config(n=n) for n in (1, 2)], square, tmp_path)
    configs = (Config(n=n) for n in (1, 2))
    named = pd.DataFrame({"score": [1.0]}, index=pd.Index(["k"], name="key"))
    again = rescore(configs, lambda config, place: named, tmp_path, of=square)
    assert again["key"].tolist() == ["k", "k"] and again["run"].nunique() == 2
    for wrong in (None, pd.DataFrame({"run": [1]})):
        with pytest.raises(DataError, match="returned"):
            rescore([Config(n=1)], lambda config, place, t=wrong: t, tmp_path, of=square)
