"""The `workbench` command. Every part is imported when its command runs, so `workbench --help` is quick."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from workbench.errors import WorkbenchError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
data = typer.Typer(no_args_is_help=True, help="Data sets: their cards, downloads, and a table of your own.")
app.add_typer(data, name="data")

Name = Annotated[str, typer.Argument(help="name of a card, as `workbench data list` shows it")]
Folder = Annotated[Path | None, typer.Option(help="where to; WORKBENCH_DATA unless told")]


def _show(result: object) -> None:
    if result is not None:
        typer.echo(result.to_string(index=False) if hasattr(result, "to_string") else str(result))


@app.callback()
def workbench() -> None:
    """What depends on this person's data?"""


@app.command()
def doctor() -> None:
    """What is installed, found and missing."""
    from workbench.doctor import doctor as examine

    found = examine()
    _show(found)
    raise typer.Exit(0 if found.healthy else 1)


@data.command("list")
def data_list() -> None:
    """The data sets that have a card, and which of them are here."""
    from workbench.data import commands

    _show(commands.list_cards())


@data.command("show")
def data_show(name: Name) -> None:
    """One card: task, page, licence, files, checksums."""
    from workbench.data import commands

    _show(commands.show(name))


@data.command("get")
def data_get(name: Name, folder: Folder = None) -> None:
    """Download a data set from its official page."""
    from workbench.data import commands

    _show(commands.get(name, folder))


@data.command("check")
def data_check(name: Name) -> None:
    """Compare the files of a data set with the checksums of its card."""
    from workbench.data import commands

    _show(commands.check(name))


@app.command()
def world(
    size: Annotated[str, typer.Option(help="tiny is the one that is shipped")] = "tiny",
    seed: Annotated[int, typer.Option(help="1 is the one that is shipped")] = 1,
    folder: Annotated[Path | None, typer.Option(help="where to; data/world unless told")] = None,
) -> None:
    """Make the generated world anew: the same seed and size give the same tables."""
    from workbench.data.world import generate, write_world
    from workbench.settings import settings

    made, folder = generate(seed=seed, size=size), folder or settings().data / "world"
    write_world(made, folder)
    _show(f"{len(made.log):,} interactions, {made.log.n_users} shoppers, {made.log.n_items} products in {folder}")


@app.command("train-pocket")
def train_pocket(
    arguments: Annotated[list[str] | None, typer.Argument(help="passed on to the training")] = None,
) -> None:
    """Train the pocket language model from scratch on the generated texts."""
    from workbench.tokens.training import train_pocket_cli

    _show(train_pocket_cli(*(arguments or [])))


@app.command()
def purge(
    user: Annotated[str, typer.Option(help="id of the user, as in the log")],
    folder: Annotated[Path | None, typer.Option(help="cache or run folder; the settings' folders unless told")] = None,
) -> None:
    """Remove a user's rows from caches and run folders: the workbench itself is a memory tier."""
    from workbench import ledger

    _show(ledger.purge(user, folder))


def main() -> None:
    """Entry point: a WorkbenchError is one line on stderr and exit code 2, never a traceback."""
    try:
        app(prog_name="workbench")
    except WorkbenchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
