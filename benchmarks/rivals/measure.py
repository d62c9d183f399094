"""Clock and peak memory, for every environment of the side-by-side benchmark; standard library
only."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def clock(call: Callable, *arguments: object, **named: object) -> tuple[float, object]:
    """Seconds by the wall, and the answer."""
    start = time.perf_counter()
    answer = call(*arguments, **named)
    return time.perf_counter() - start, answer


def repeat(call: Callable, times: int) -> list[float]:
    """Seconds of each of so many calls."""
    return [clock(call)[0] for _ in range(times)]


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MiB; not a number where the system does
    not tell.

    Linux: VmHWM, which starts anew with the program; `ru_maxrss` keeps that of the process that
    started this one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:  # Windows
        return float("nan")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
