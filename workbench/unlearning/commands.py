"""What `workbench unlearn …` does. Every part is imported when its command runs."""

from __future__ import annotations

import typer

from workbench.unlearning.receipt_commands import verify

app = typer.Typer(
    no_args_is_help=True, help="Grids of unlearning: run, look, table; receipts: verify."
)
app.command()(verify)


@app.callback()
def unlearn() -> None:
    """Which method forgets, what does it cost, how would I know?"""
