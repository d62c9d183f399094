"""Grids that survive being stopped."""

import functools
import json
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

from workbench.errors import ConfigError, DataError
from workbench.runs import config_hash, read, rescore, run


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
    if config.n == 2:
        raise RuntimeError("two")
    return square(config)


def never(config: Config) -> pd.DataFrame:
    raise AssertionError("done before")


@pytest.mark.parametrize(("n_jobs", "backend"), [(1, "loky"), (2, "loky"), (2, "threading")])
def test_all_results_below_each_other(tmp_path, n_jobs, backend):
    table = run(CONFIGS, square, tmp_path, n_jobs, backend)
    assert list(table.columns) == ["run", "n", "name", "several", "value"]
    assert table["value"].tolist() == [0, 0, 1, -1, 4, -2, 9, -3]
    assert table["several"].unique().tolist() == ["[1, 2]"]
    again = run(CONFIGS, never, tmp_path)
    pd.testing.assert_frame_equal(table, again)
    manifest = json.loads((tmp_path / config_hash(CONFIGS[3]) / "manifest.json").read_text())
    assert manifest["config"] == CONFIGS[3].model_dump(mode="json") and manifest["rows"] == 2


def test_bound_arguments_would_not_be_part_of_a_run(tmp_path):
    with pytest.raises(ConfigError, match="bound arguments"):
        run(CONFIGS, functools.partial(times, factor=10), tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_not_done_again_and_failures_leave_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="two"):
        run(CONFIGS, fail_at_two, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        config_hash(c) for c in CONFIGS[:2]
    )
    assert len(run(CONFIGS, square, tmp_path)) == 8


def test_version_and_data_are_part_of_the_name(tmp_path):
    names = {
        config_hash(CONFIGS[0]),
        config_hash(CONFIGS[0], "2"),
        config_hash(CONFIGS[0], "1", "abc"),
    }
    assert len(names | {config_hash(CONFIGS[1])}) == 4
    run(CONFIGS, square, tmp_path)
    with pytest.raises(AssertionError, match="done before"):
        run(CONFIGS, never, tmp_path, version="2")
    with pytest.raises(ConfigError, match="appears twice"):
        run([CONFIGS[0], CONFIGS[0]], square, tmp_path)


@given(st.integers(), st.text())
def test_a_hash_depends_on_nothing_but_content(n, name):
    assert config_hash(Config(n=n, name=name)) == config_hash(
        Config(name=name, n=n, several=(1, 2))
    )


def test_another_metric_without_another_run(tmp_path):
    run(CONFIGS, square_and_leave, tmp_path)

    def metric(config: Config, folder: Path) -> pd.DataFrame:
        return pd.DataFrame({"twice": [2 * int((folder / "left.txt").read_text())]})

    assert rescore(CONFIGS, metric, tmp_path)["twice"].tolist() == [0, 2, 4, 6]
    with pytest.raises(DataError, match="no finished run"):
        rescore([Config(n=9)], metric, tmp_path)
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
