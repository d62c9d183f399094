"""`workbench unlearn verify`: what of a receipt is found true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from workbench.errors import DataError


def key_of(given: str | None) -> str | None:
    """The key itself, or the first line of a file that holds it: what stands in a command is seen by
    others on the machine."""
    if given is None or not Path(given).is_file():
        return given
    try:
        with open(given, encoding="ascii") as file:
            return file.readline(200).strip()
    except (OSError, ValueError) as error:
        raise DataError(f"no key ({error})", given, "a file of 64 hexadecimal digits") from error


def verify(
    receipt: Annotated[Path, Argument(help="the receipt's file")],
    key: Annotated[
        str | None, Option(help="the key that came with it, or a file that holds it")
    ] = None,
    rows: Annotated[
        Path | None, Option(help="the removed rows, .csv or .parquet; needs the key")
    ] = None,
    model: Annotated[Path | None, Option(help="folder of a saved model")] = None,
    data: Annotated[Path | None, Option(help="what is said to remain, as --rows")] = None,
) -> None:
    """Look at a deletion receipt again: its form and sums, the weights and the data without the key,
    the seal and the rows with it. Ends with 1 where something does not hold."""
    from workbench.unlearning.receipt_check import verify as look

    found = look(receipt, key_of(key), rows, model, data)
    for check, ok, said in found.itertuples(index=False):
        mark = {True: "yes", False: "NO"}.get(ok, "-")
        typer.echo(f"{mark:>4}  {check:<8}  {said}")
    raise typer.Exit(1 if (found["ok"] == False).any() else 0)  # noqa: E712
