"""What tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# no failure because a machine is busy
settings.register_profile("workbench", deadline=None, max_examples=20)
settings.load_profile("workbench")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data to test on; tests that need it are skipped where there is none."""
    folder = Path(
        os.environ.get("WORKBENCH_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data"
    )
    if not folder.is_dir():
        pytest.skip("no real data here: set WORKBENCH_TEST_DATA to a folder that has some")
    return folder
