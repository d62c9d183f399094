"""How a tool ends, and which numbers of steps it takes."""

import pytest

from tools import build_pocket, build_worlds
from tools.command import answered
from workbench.errors import DataError


def test_an_answer_is_printed_and_an_error_is_one_line(capsys):
    assert answered(lambda: "done") == 0 and answered(lambda: None) == 0
    assert capsys.readouterr().out == "done\n"

    def fails():
        raise DataError("no rows", "a.csv")

    assert answered(fails) == 2
    assert capsys.readouterr().err == "start.py: a.csv: no rows.\n"


@pytest.mark.parametrize("tool", [build_pocket, build_worlds])
@pytest.mark.parametrize("steps", ["0", "-3", "many", "1.5"])
def test_a_number_of_steps_that_is_none_trains_nothing(tool, steps, monkeypatch, capsys):
    for name in ("build_pocket", "build_world_model"):
        monkeypatch.setattr(tool, name, lambda *_: pytest.fail("trained"), raising=False)
    with pytest.raises(SystemExit, match="2"):
        tool.main([f"--steps={steps}"])
    assert "no whole number from 1 on" in capsys.readouterr().err
