"""Engines that outlive killed workers, and chains of runs."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from pydantic import BaseModel, ConfigDict

from workbench import _engines
from workbench._run_folders import OWNER
from workbench.errors import ConfigError, RunError
from workbench.runs import folder_of, read, run

ROOT = Path(__file__).parents[1]
ENGINES = [
    "loky",
    pytest.param("dask", marks=pytest.mark.skipif(not find_spec("distributed"), reason="no Dask")),
    pytest.param("ray", marks=pytest.mark.skipif(not find_spec("ray"), reason="no Ray")),
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


SCRIPT = """
    import os, signal, sys, time
    from pathlib import Path
    import pandas as pd
    from pydantic import BaseModel, ConfigDict
    from workbench.runs import run

    class Cell(BaseModel):
        model_config = ConfigDict(frozen=True)
        chain: int
        n: int

    def cell(config, work, runs):
        time.sleep(0.03)
        deadly = runs.parent / "deadly" / f"{config.chain}-{config.n}"
        if deadly.exists():
            if deadly.read_text() == "once":
                deadly.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        (work / "left.txt").write_text(str(config))
        return pd.DataFrame({"value": [config.chain * 1000 + config.n**2]})

    CELLS = [Cell(chain=c, n=n) for c in range(int(sys.argv[2])) for n in range(5)]

    if __name__ == "__main__":
        table = run(CELLS, cell, Path(sys.argv[1]) / "runs", 2, sys.argv[3], chain=lambda one: one.chain)
        assert "torch" not in sys.modules
        print("values", *table["value"])
"""


def begun(folder: Path, chains: int = 3, engine: str = "loky", **more) -> subprocess.Popen:
    """The script in a group of its own."""
    script = folder / "cells.py"
    script.write_text(textwrap.dedent(SCRIPT), encoding="utf-8")
    command = [sys.executable, str(script), str(folder), str(chains), engine]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, start_new_session=True, **how)


def values(chains: int) -> str:
    cells = [c * 1000 + n**2 for c in range(chains) for n in range(5)]
    return " ".join(map(str, ["values", *cells]))


def deadly(folder: Path, name: str, how: str) -> None:
    (folder / "deadly").mkdir()
    (folder / "deadly" / name).write_text(how)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_killed_worker_is_made_up_for(tmp_path, engine):
    deadly(tmp_path, "1-3", "once")
    out, told = begun(tmp_path, engine=engine).communicate(timeout=120)
    assert values(3) in out, told
    assert not list((tmp_path / "runs").glob(".partial*")), "swept"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_cell_that_outlives_no_worker_is_named(tmp_path):
    deadly(tmp_path, "2-4", "always")
    out, told = begun(tmp_path).communicate(timeout=120)
    assert "RunError" in told and "killed again and again" in told and "Cell(chain=2, n=4)" in told
    assert "values" not in out
    done = len(list((tmp_path / "runs").glob("*/manifest.json")))
    assert done >= 12, "what else there was is kept"
    (tmp_path / "deadly" / "2-4").unlink()
    out, told = begun(tmp_path).communicate(timeout=120)
    assert values(3) in out, told


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

    CELLS = [Cell(chain=c, n=n) for c in range(60) for n in range(5)]
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
        time.sleep(rng.uniform(0, 0.2))
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
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert values(60) in told.stdout, told.stderr
    done = [int(n) for n in told.stdout.splitlines()[0].split()[1:]]
    assert len(done) == 20 and len(set(done)) > 5, "moments differ"
    assert not list(runs.glob("*/failed.json")) and not list(runs.glob(".partial*"))


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
