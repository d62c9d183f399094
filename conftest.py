"""Settings that every test and every notebook kernel inherits."""

import doctest
import os

os.environ.setdefault("WORKBENCH_PROFILE", "tiny")  # saved outputs are made with this profile
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may wait for a network
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("PYTHONHASHSEED", "0")
# Rounding depends on threads: one each, so that tests side by side (-n) and alone compute the same
# and do not compete.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# a bar shows after two seconds: on a slow machine, and in an output
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
# Debugger hints of a frozen standard library would land in the compared stderr of a notebook.
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")


def pytest_collectstart(collector):
    """Leave out of the comparison what differs for no reason that matters."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html", "application/javascript", "stderr")


def pytest_collection_modifyitems(items):
    """Leave out the examples of docstrings that are shown but not run (+SKIP): they need files that
    are not here."""
    skip = doctest.OPTIONFLAGS_BY_NAME["SKIP"]
    lines = {item: getattr(getattr(item, "dtest", None), "examples", []) for item in items}
    items[:] = [
        item
        for item in items
        if not lines[item] or any(not line.options.get(skip) for line in lines[item])
    ]
