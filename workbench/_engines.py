"""Three ways to have tasks done by other processes, each of which survives a worker that is killed.

Threads are none of them: first weights, draws and dropout come from one generator a process. A task
must do no harm when it is done twice. Progress and results are read from what tasks leave behind, so
an engine hands back little.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack
from typing import Any

from workbench.errors import ConfigError

RETRIES = 2
"""How often what a killed worker was at is tried again."""
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
        joblib.Parallel(n_jobs=n_jobs)([])
        n_jobs = joblib.effective_n_jobs(n_jobs)
    except ValueError as error:
        raise ConfigError(str(error), "n_jobs", "how many processes; -1 for all") from error
    # what is missing is told before the first task
    needed = {name: _package(name, engine) for name in NEEDS[engine]}
    return ENGINES[engine](work, list(tasks), n_jobs, swept, **needed)


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
        calls = [one(number, work, task) for number, task in left.items()]
        try:
            for number, said in joblib.Parallel(n_jobs=n_jobs, **how)(calls):
                del left[number]
                yield said
            return
        except BrokenExecutor:
            if attempt == RETRIES:
                raise
            swept()


def _numbered(number: int, work: Work, task: tuple) -> tuple[int, Any]:
    return number, work(*task)


def _dask(
    work: Work, tasks: list[tuple], n_jobs: int, swept: Swept, distributed: Any
) -> Iterator[Any]:
    """A Dask cluster: the client that stands already, with as many workers as it has, or one on this
    machine. A script of one's own needs `if __name__ == "__main__":`."""
    import joblib

    with ExitStack() as stack:
        try:
            distributed.get_client()
        except ValueError:
            how = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": "ERROR"}
            cluster = distributed.LocalCluster(n_workers=n_jobs, **how)
            stack.enter_context(cluster)
            stack.enter_context(distributed.Client(cluster))
        stack.enter_context(joblib.parallel_config(backend="dask"))
        # the scheduler gives the task of a killed worker to another one
        pool = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        try:
            yield from pool([joblib.delayed(work)(*task) for task in tasks])
        except distributed.KilledWorker as error:
            raise BrokenExecutor(str(error)) from error


def _ray(work: Work, tasks: list[tuple], n_jobs: int, swept: Swept, ray: Any) -> Iterator[Any]:
    """Plain Ray tasks, on the cluster that stands already or on one of this machine. What outlives
    no worker is told when all else is done."""
    own, broken = not ray.is_initialized(), None
    if own:
        ray.init(
            num_cpus=n_jobs, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
        )
    try:
        one = ray.remote(max_retries=RETRIES)(work)
        waiting = [one.remote(*task) for task in tasks]
        while waiting:
            (ended,), waiting = ray.wait(waiting)
            try:
                yield ray.get(ended)
            except ray.exceptions.WorkerCrashedError as error:
                broken = error
        if broken is not None:
            raise BrokenExecutor(str(broken)) from broken
    finally:
        if own:
            ray.shutdown()


ENGINES = {"loky": _loky, "dask": _dask, "ray": _ray}
NEEDS = {"loky": (), "dask": ("distributed",), "ray": ("ray",)}
