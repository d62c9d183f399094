"""Three ways to have tasks done by other processes, each of which survives a worker that is killed.

Threads are none of them: first weights, draws and dropout come from one generator a process. A task
must do no harm when it is done twice. Progress and results are read from what tasks leave behind, so
an engine hands back little.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from typing import Any

import psutil

from workbench.errors import ConfigError, RunError

RETRIES = 2
"""How often what a killed worker was at is tried again."""
STARTS = 3
"""How often the start of a cluster is tried: Ray gives one half a minute, too little where others
work."""
Work = Callable[..., Any]
Swept = Callable[[], None]


def each(
    engine: str, work: Work, tasks: Sequence[tuple], n_jobs: int, swept: Swept
) -> Iterator[Any]:
    """What `work(*task)` returns, task by task, in the order in which they end.

    swept: called when a worker was killed, before its task is tried again. Raises `ConfigError` for
    an engine or a number of jobs that there is not, and `BrokenExecutor` where a task outlived no
    worker.
    """
    import joblib

    if engine not in ENGINES:
        raise ConfigError(f"engine {engine!r}", "engine", " or ".join(ENGINES))
    try:
        n_jobs = joblib.effective_n_jobs(n_jobs)
    except ValueError as error:
        raise ConfigError(str(error), "n_jobs", "how many processes; -1 for all") from error
    # what is missing is told before the first task; without one no cluster is begun
    for name in NEEDS[engine]:
        _package(name, engine)
    return ENGINES[engine](work, list(tasks), n_jobs, swept) if tasks else iter(())


@contextmanager
def standing(engine: str, n_jobs: int) -> Iterator[None]:
    """The cluster that stands already, or one on this machine for as long as the block; several runs
    in a block share it. Of loky, whose processes stay by themselves, nothing.

    Raises `RunError` where none can be begun.
    """
    with ExitStack() as stack:
        if engine in BEGIN:
            _begun(engine, n_jobs, stack)
        yield


def _begun(engine: str, n_jobs: int, stack: ExitStack) -> None:
    for attempt in range(STARTS):
        # half a start is taken down before the next
        with ExitStack() as begun:
            try:
                BEGIN[engine](n_jobs, begun)
            except Exception as error:
                if attempt == STARTS - 1:
                    what, do = f"no cluster of {engine} ({error})", "take engine='loky'"
                    raise RunError(what, "engine", "one that starts", do) from error
            else:
                stack.enter_context(begun.pop_all())
                return


def _package(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        do = f"pip install -c constraints.txt 'workbench[{extra}]', or take engine='loky'"
        raise ConfigError(f"{name} is not installed ({error})", "engine", name, do) from error


def _loky(work: Work, tasks: list[tuple], n_jobs: int, swept: Swept) -> Iterator[Any]:
    """Processes of this machine. A killed one ends the pool: a new one goes on with what is left."""
    import joblib

    one, left = joblib.delayed(_numbered), dict(enumerate(tasks))
    for attempt in range(1 + RETRIES):
        how = {"backend": "loky", "return_as": "generator_unordered", "batch_size": 1}
        calls = [one(os.getpid(), number, work, task) for number, task in left.items()]
        try:
            for number, said in joblib.Parallel(n_jobs=n_jobs, **how)(calls):
                del left[number]
                yield said
            return
        except BrokenExecutor:
            if attempt == RETRIES:
                raise
            swept()


def _numbered(master: int, number: int, work: Work, task: tuple) -> tuple[int, Any]:
    if master != os.getpid():
        _leave_with(master)
    return number, work(*task)


@cache
def _leave_with(master: int) -> None:
    """End this process when the one that it works for is no more: the other engines do so too. What
    it was at is swept by the next run."""

    def leave() -> None:
        with suppress(psutil.NoSuchProcess):
            psutil.Process(master).wait()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()


def _begin_dask(n_jobs: int, stack: ExitStack) -> None:
    import dask
    import distributed

    with suppress(ValueError):
        distributed.get_client()
        return
    # a killed worker that is slow to come back is waited for, not given up: else nobody would be left
    patient = {"deploy.lost-worker-timeout": "1 hour", "scheduler.allowed-failures": RETRIES}
    patient = {f"distributed.{name}": value for name, value in patient.items()}
    stack.enter_context(dask.config.set(patient))
    how = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": "ERROR"}
    cluster = stack.enter_context(distributed.LocalCluster(n_workers=n_jobs, **how))
    stack.enter_context(distributed.Client(cluster))


def _dask(work: Work, tasks: list[tuple], n_jobs: int, swept: Swept) -> Iterator[Any]:
    """A Dask cluster, with as many workers as it has. A script of one's own needs
    `if __name__ == "__main__":`.

    Plain tasks: joblib would do the work in this process whenever one worker alone is up.
    """
    import distributed

    broken = None
    with standing("dask", n_jobs):
        client = distributed.get_client()
        # the scheduler gives the task of a killed worker to another one
        waiting = [client.submit(work, *task, pure=False) for task in tasks]
        try:
            for ended in distributed.as_completed(waiting):
                try:
                    yield ended.result()
                except distributed.KilledWorker as error:
                    broken = error
        except BaseException:
            client.cancel(waiting)
            raise
    if broken is not None:
        raise BrokenExecutor(str(broken)) from broken


def _begin_ray(n_jobs: int, stack: ExitStack) -> None:
    import ray

    if ray.is_initialized():
        return
    stack.callback(ray.shutdown)
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    before = psutil.Process().children(recursive=True)
    try:
        ray.init(num_cpus=n_jobs, **quiet)
    except Exception:
        # of half a start `shutdown` knows nothing
        for half in psutil.Process().children(recursive=True):
            if half not in before:
                with suppress(psutil.NoSuchProcess):
                    half.kill()
        raise


def _ray(work: Work, tasks: list[tuple], n_jobs: int, swept: Swept) -> Iterator[Any]:
    """Tasks of a Ray cluster. What outlives no worker is told when all else is done."""
    import ray

    broken = None
    with standing("ray", n_jobs):
        one = ray.remote(max_retries=RETRIES)(work)
        waiting = [one.remote(*task) for task in tasks]
        try:
            while waiting:
                (ended,), waiting = ray.wait(waiting)
                try:
                    yield ray.get(ended)
                except ray.exceptions.WorkerCrashedError as error:
                    broken = error
        except BaseException:
            for task in waiting:
                ray.cancel(task)
            raise
    if broken is not None:
        raise BrokenExecutor(str(broken)) from broken


ENGINES = {"loky": _loky, "dask": _dask, "ray": _ray}
NEEDS = {"loky": (), "dask": ("distributed",), "ray": ("ray",)}
BEGIN = {"dask": _begin_dask, "ray": _begin_ray}
