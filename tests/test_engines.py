"""Engines that outlive killed workers, and chains of runs."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import psutil
import pytest
from pydantic import BaseModel, ConfigDict

from tests.killed import chains, tiny, value
from workbench import _engines
from workbench._run_folders import OWNER
from workbench.errors import ConfigError, RunError
from workbench.runs import folder_of, read, run

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
NO_KILL = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
NO_DASK = pytest.mark.skipif(not find_spec("distributed"), reason="distributed is not installed")
NO_RAY = pytest.mark.skipif(
    os.name == "nt" or not find_spec("ray"), reason="Ray is not installed, or not tried (Windows)"
)
ENGINES = [
    pytest.param("loky", marks=NO_KILL),
    pytest.param("dask", marks=[NO_KILL, NO_DASK]),
    pytest.param("ray", marks=NO_RAY),
]


class Link(BaseModel):
    """A run that reads the one before it."""

    model_config = ConfigDict(frozen=True)
    chain: int
    n: int


LINKS = [Link(chain=c, n=n) for n in range(3) for c in range(4)]


def add_up(config: Link, work: Path, runs: Path) -> pd.DataFrame:
    before = 0
    if config.n:
        last = config.model_copy(update={"n": config.n - 1})
        before = read(folder_of(last, add_up, runs))["value"].item()
    if (runs / f"bad-{config.chain}-{config.n}").exists():
        raise RuntimeError("bad")
    return pd.DataFrame({"value": [before + config.chain + 1]})


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_link_reads_the_one_before_it(tmp_path, n_jobs):
    table = run(LINKS, add_up, tmp_path, n_jobs, chain=lambda link: link.chain)
    assert table["value"].tolist() == [(c + 1) * (n + 1) for n in range(3) for c in range(4)]


def test_a_failed_link_stops_its_chain_and_says_so(tmp_path):
    (tmp_path / "bad-1-1").touch()
    chain = {"chain": lambda link: link.chain}
    with pytest.raises(RunError, match=r"2 of 12 runs failed: .*bad.*not begun, as \w{12} before"):
        run(LINKS, add_up, tmp_path, **chain)
    with pytest.warns(UserWarning, match="2 of 12 runs failed"):
        assert len(run(LINKS, add_up, tmp_path, strict=False, **chain)) == 10
    left = [p.parent.name for p in tmp_path.glob("*/failed.json")]
    assert left == [folder_of(LINKS[5], add_up, tmp_path).name], "what was not begun did not fail"
    # what failed is left, unless it is to be tried again
    (tmp_path / "bad-1-1").unlink()
    with pytest.raises(RunError, match=r"2 of 12 runs failed: .*RuntimeError: bad"):
        run(LINKS, add_up, tmp_path, retry_failed=False, **chain)
    assert len(run(LINKS, add_up, tmp_path, **chain)) == 12


def test_an_engine_that_is_not_installed_is_told_before_the_work(tmp_path, monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(_engines.importlib, "import_module", absent)
    for engine, package in (("dask", "distributed"), ("ray", "ray")):
        with pytest.raises(ConfigError, match=rf"{package} is not installed.*workbench\[{engine}"):
            run(LINKS, add_up, tmp_path / "runs", engine=engine)
    assert not (tmp_path / "runs").exists()


@pytest.fixture(scope="module", params=ENGINES)
def killed(request, tmp_path_factory) -> tuple[Path, dict]:
    """What came of the work of tests/killed.py on an engine, and where."""
    folder = tmp_path_factory.mktemp(request.param)
    command = [sys.executable, "-m", "tests.killed", request.param, str(folder)]
    environment = ENVIRONMENT | {"DEADLY": str(folder / "once")}
    # a file for what it says: daemons of a cluster may hold a pipe open
    out, err = folder / "out", folder / "err"
    with out.open("w") as told, err.open("w") as wrong:
        how = {"stdout": told, "stderr": wrong, "timeout": 400}
        done = subprocess.run(command, env=environment, cwd=ROOT, **how)
    assert done.returncode == 0, err.read_text()[-5000:]
    return folder, json.loads(out.read_text().splitlines()[-1])


@pytest.mark.slow
def test_a_killed_worker_is_made_up_for(killed):
    folder, told = killed
    assert told["values"] == [value(one) for one in chains(0, 3)]
    assert not (folder / "deadly-1-2").exists(), "nothing was killed"
    assert not told["torch"] and told["left"] == []


@pytest.mark.slow
def test_a_cell_that_outlives_no_worker_is_named(killed):
    folder, told = killed
    assert "killed again and again" in told["error"] and "Cell(chain=3, n=1)" in told["error"]
    made = {path.parent.name for path in (folder / "cells").glob("*/manifest.json")}
    assert len(made) >= 10, "what else there was is kept"


@pytest.mark.slow
def test_a_grid_with_a_killed_worker_is_the_same_as_one_without(killed, calm):
    from workbench.unlearning.grid_table import summary

    folder, told = killed
    assert not (folder / "once").exists(), "nothing was killed"
    assert told["unserved"] == 0
    one, two = (summary(tiny(), runs) for runs in (folder / "grid", calm))
    costs = ["seconds", "peak_mb", "pays_until"]
    pd.testing.assert_frame_equal(one.drop(columns=costs), two.drop(columns=costs))


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> Path:
    """The same grid in one process, nobody killed."""
    from workbench.unlearning.grid_run import run_grid

    folder = tmp_path_factory.mktemp("calm")
    assert run_grid(tiny(), folder)["left"].sum() == 0
    return folder


def test_a_start_that_fails_is_taken_down_and_tried_again(monkeypatch):
    tried, down = [], []

    def begin(n_jobs, stack, fails):
        tried.append(n_jobs)
        stack.callback(down.append, len(tried))
        if len(tried) <= fails:
            raise OSError("timed out")

    monkeypatch.setitem(_engines.BEGIN, "dask", partial(begin, fails=2))
    with _engines.standing("dask", 2):
        assert (tried, down) == ([2] * 3, [1, 2])
    assert down == [1, 2, 3]
    tried.clear(), down.clear()
    monkeypatch.setitem(_engines.BEGIN, "dask", partial(begin, fails=3))
    with pytest.raises(RunError, match=r"no cluster of dask \(timed out\)"):
        run(LINKS, add_up, Path("never"), engine="dask")
    assert down == [1, 2, 3]


def test_what_is_finished_needs_no_cluster(tmp_path, monkeypatch):
    table = run(LINKS, add_up, tmp_path)
    monkeypatch.setattr(_engines, "_package", lambda name, engine: None)
    for engine in ("dask", "ray"):
        monkeypatch.setitem(_engines.BEGIN, engine, None)
        pd.testing.assert_frame_equal(table, run(LINKS, add_up, tmp_path, 2, engine))


SLEEPING = """
    import signal
    signal.signal(signal.SIGINT, signal.default_int_handler)
    import sys, time
    from pathlib import Path
    import pandas as pd
    from tests.killed import Cell
    from workbench.runs import run

    def cell(config, work, runs):
        (runs.parent / f"at-{config.chain}").touch()
        time.sleep(100)

    if __name__ == "__main__":
        top, engine = sys.argv[1:]
        run([Cell(chain=c, n=0) for c in range(2)], cell, Path(top) / "runs", 2, engine)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "how, engine",
    [
        ("Ctrl-C", "loky"),
        ("kill", "loky"),
        pytest.param("Ctrl-C in a terminal", "dask", marks=[NO_KILL, NO_DASK]),
    ],
)
def test_who_stops_the_work_stops_the_workers(tmp_path, how, engine):
    script = tmp_path / "sleeping.py"
    script.write_text(textwrap.dedent(SLEEPING), encoding="utf-8")
    command = [sys.executable, str(script), str(tmp_path), engine]
    own = {"env": ENVIRONMENT, "stderr": subprocess.DEVNULL}
    own |= {"start_new_session": how == "Ctrl-C in a terminal"}
    with subprocess.Popen(command, **own) as master:
        wait_for(lambda: len(list(tmp_path.glob("at-*"))) == 2)
        workers = psutil.Process(master.pid).children(recursive=True)
        if how == "Ctrl-C in a terminal":  # which tells workers too
            os.killpg(master.pid, signal.SIGINT)
        elif how == "Ctrl-C" and os.name != "nt":
            master.send_signal(signal.SIGINT)
        else:
            master.kill()
        master.wait(60)
    assert len(workers) >= 2
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
    # what they were at is swept by the next run
    run(LINKS[:1], add_up, tmp_path / "runs")
    assert not list((tmp_path / "runs").glob(".partial*"))


def wait_for(said: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.05)


KILLED = """
    import os, random, signal, sys, time
    from pathlib import Path
    import pandas as pd
    from pydantic import BaseModel, ConfigDict
    from workbench.runs import run

    class Cell(BaseModel):
        model_config = ConfigDict(frozen=True)
        chain: int
        n: int

    def cell(config, work, runs):
        for name in ("a", "b", "c"):
            (work / name).write_text("x" * 100_000)
            time.sleep(0.004)
        return pd.DataFrame({"value": [config.chain * 1000 + config.n**2]})

    CELLS = [Cell(chain=c, n=n) for c in range(80) for n in range(5)]
    runs, rng, done = Path(sys.argv[1]), random.Random(3), []
    run(CELLS[:1], cell, runs)  # all is imported
    for moment in range(20):
        child = os.fork()
        if not child:
            run(CELLS, cell, runs, chain=lambda one: one.chain)
            os._exit(0)
        # not before work has begun
        before = len(list(runs.iterdir()))
        while len(list(runs.iterdir())) <= before:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.1))
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, "too late"
        done.append(len(list(runs.glob("*/manifest.json"))))
    table = run(CELLS, cell, runs, chain=lambda one: one.chain)
    assert "torch" not in sys.modules
    print("done", *done)
    print("values", *table["value"])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_killed_at_twenty_random_moments_the_table_is_the_same(tmp_path):
    script, runs = tmp_path / "cells.py", tmp_path / "runs"
    script.write_text(textwrap.dedent(KILLED), encoding="utf-8")
    command = [sys.executable, str(script), str(runs)]
    how = {"capture_output": True, "text": True, "timeout": 300}
    told = subprocess.run(command, env=ENVIRONMENT, **how)
    expected = [c * 1000 + n**2 for c in range(80) for n in range(5)]
    assert " ".join(map(str, ["values", *expected])) in told.stdout, told.stderr
    done = [int(n) for n in told.stdout.splitlines()[0].split()[1:]]
    assert len(done) == 20 and len(set(done)) > 5, "moments differ"
    assert max(done) < 400, "killed while at work"
    assert not list(runs.glob("*/failed.json"))
    # who is killed between making a folder and signing it leaves one that may be another's
    left = [path.name for path in runs.glob(".partial*") if _signed(path)]
    assert not left


def _signed(path: Path) -> bool:
    """Whether a temporary folder says whose it is."""
    owner = path / OWNER
    return owner.is_file() and owner.stat().st_size > 0


def test_what_a_living_process_is_at_is_not_swept(tmp_path):
    for name, pid in (("mine", os.getpid()), ("dead", 2**22 + 1)):
        path = tmp_path / f".partial-{name}"
        path.mkdir()
        owner = {"host": socket.gethostname(), "pid": pid, "run": "x"}
        (path / OWNER).write_text(json.dumps(owner))
    (tmp_path / ".partial-far").mkdir()
    (tmp_path / ".partial-far" / OWNER).write_text('{"host": "elsewhere", "pid": 1, "run": "x"}')
    (tmp_path / ".partial-odd").mkdir()
    (tmp_path / ".partial-odd" / OWNER).write_text("[")
    run(LINKS[:1], add_up, tmp_path)
    left = sorted(p.name for p in tmp_path.glob(".partial*"))
    assert left == [".partial-far", ".partial-mine", ".partial-odd"]
