"""What `workbench unlearn …` does. Every part is imported when its command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from workbench.unlearning.receipt_commands import verify

app = typer.Typer(
    no_args_is_help=True, help="Grids of unlearning: run, status, table; receipts: verify."
)
app.command()(verify)


@app.callback()
def unlearn() -> None:
    """Which method forgets, what does it cost, how would I know?"""


@app.command()
def run(
    grid: Annotated[
        str,
        Argument(
            help="a TOML file, a folder that was begun, or a shipped grid: laptop_baskets, "
            "laptop_clicks, laptop_films, smoke"
        ),
    ],
    folder: Annotated[Path | None, Option(help="where to; runs/NAME unless told")] = None,
    jobs: Annotated[int, Option(help="processes at once")] = 1,
    engine: Annotated[str, Option(help="loky, dask or ray")] = "loky",
    own: Annotated[
        bool, Option("--own", help="import and run algorithms called module:function")
    ] = False,
    yes: Annotated[bool, Option("--yes", help="do not ask")] = False,
    retry_failed: Annotated[
        bool, Option("--retry-failed", help="try what failed the last time again")
    ] = False,
    keep: Annotated[
        bool, Option("--keep", help="older results may stand though the code of a cell changed")
    ] = False,
) -> None:
    """Run what is missing of a grid: says what it will take, then asks."""
    from workbench.settings import settings
    from workbench.unlearning.grid import plan
    from workbench.unlearning.grid_names import consented, own_names
    from workbench.unlearning.grid_run import estimate, kept_grid, read_grid, run_grid

    begun = Path(grid) if Path(grid).is_dir() else None
    asked = kept_grid(begun) if begun else read_grid(grid)
    # nothing that a file names is imported before it is consented to, and told
    consented(asked, own)
    if names := own_names(asked):
        _say(f"Imported and run, not of the workbench: {', '.join(names)}")
    made = plan(asked)
    folder = folder or begun or settings().runs / made.grid.name
    for line in (str(made), *made.notes):
        _say(line)
    takes = estimate(made, folder, jobs)
    _say(f"In {folder}: " + ", ".join(f"{name} {value:,}" for name, value in takes.items()))
    if takes["cells left"] and not yes:
        typer.confirm("Run it?", abort=True)
    how = {"retry_failed": retry_failed, "keep": keep, "progress": True}
    found = run_grid(made, folder, jobs, engine, **how)
    _show(found)
    raise typer.Exit(0 if not found["left"].sum() else 1)


@app.command()
def status(folder: Annotated[Path, Argument(help="of a grid")]) -> None:
    """How far a grid is, read from its finished folders."""
    from workbench.unlearning.grid_run import kept_plan
    from workbench.unlearning.grid_run import status as look

    made = kept_plan(folder)
    _show(look(made, folder))
    for note in made.notes:
        _say(note)


@app.command()
def table(
    folder: Annotated[Path, Argument(help="of a grid")],
    csv: Annotated[Path | None, Option(help="write the whole table here")] = None,
    latex: Annotated[Path | None, Option(help="write it as LaTeX here, with intervals")] = None,
) -> None:
    """Verdicts, intervals, costs and notes of a grid, from what is finished."""
    from workbench.unlearning.grid_run import kept_plan
    from workbench.unlearning.grid_table import as_latex, summary
    from workbench.whole import whole_file

    made = kept_plan(folder)
    found = summary(made, folder)
    shown = ["data", "model", "topic", "method", "checkpoint", "estimate", "low", "high", "verdict"]
    _show(found[[*shown, "decidable", "seconds", "pays_until", "note"]].round(3))
    for path, text in ((csv, found.to_csv(index=False)), (latex, as_latex(found))):
        if path is not None:
            with whole_file(path) as new:
                new.write_text(text, encoding="utf-8")
    for note in made.notes:
        _say(note)
    if not made.grid.ranking:
        _say("No ranking: a verdict against a base that was not trained out says little.")


def _say(text: str) -> None:
    from workbench.html import visible

    typer.echo(visible(text))


def _show(table: object) -> None:
    text = table.to_string(index=False)
    for line in text.splitlines():
        _say(line)
