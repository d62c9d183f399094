"""The `workbench` command. Every part is imported when its command runs, so `workbench --help` is
quick."""

from __future__ import annotations

import io
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from workbench.errors import ConfigError, WorkbenchError
from workbench.settings import settings
from workbench.unlearning.commands import app as unlearn

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
data = typer.Typer(
    no_args_is_help=True, help="Data sets: their cards, downloads, and a table of your own."
)
app.add_typer(data, name="data")
app.add_typer(unlearn, name="unlearn")

PAIRS = {"mapping": "--column", "item_columns": "--item-column", "actions": "--action"}
"""Arguments of the readers that are pairs, and the options that take them here."""
PLAIN = {"encoding": "utf-8", "item_encoding": "utf-8", "time_unit": "s"}
"""What readers take unless told."""
Text, Texts = str | None, list[str] | None
Name = Annotated[str, Argument(help="name of a card, as `workbench data list` shows it")]
Folder = Annotated[Path | None, Option(help="folder of the data; WORKBENCH_DATA unless told")]


def _show(result: object) -> None:
    """Print a table, or anything else as its text; what a file put in it cannot steer the
    terminal."""
    from workbench.html import visible
    from workbench.views.text import line

    if not hasattr(result, "to_string"):
        typer.echo(visible(result))
        return
    shown = result.map(lambda cell: line(cell) if isinstance(cell, str) else cell)
    typer.echo(shown.rename(columns=line).to_string(index=False))


def _pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """["user=uid"] -> {"user": "uid"}."""
    for text in given or []:
        if "=" not in text:
            do = "correct it"
            raise ConfigError(f"{text!r} is no pair", option, "name=value, such as user=uid", do)
    return dict(text.split("=", 1) for text in given or [])


def as_options(said: str) -> str:
    """A remedy in the words of the command: `sep=';'` is `--sep ';'` here, `mapping={'item': '…'}`
    is `--column item=…`."""
    for name, option in PAIRS.items():
        said = re.sub(rf"\b{name}=\{{'([^']*)': '([^']*)'\}}", rf"{option} \1=\2", said)
    said = re.sub(r"\bdrop=\['([^']*)'\]", r"--drop \1", said)
    said = re.sub(r"\bnames=\[[^]]*\]", "--names user,item,…", said)
    said = re.sub(r"\b(\w+)='([^']*)'", lambda m: f"--{m[1].replace('_', '-')} '{m[2]}'", said)
    return said.replace("copy=True", "--copy")


@contextmanager
def said_as_options() -> Iterator[None]:
    """Errors with their remedies in the words of the command."""
    try:
        yield
    except WorkbenchError as error:
        do = error.do and as_options(error.do)
        raise type(error)(error.what, error.where, error.expected, do) from error


@app.callback()
def workbench() -> None:
    """What depends on this person's data?"""


@app.command()
def doctor() -> None:
    """What is installed, found and missing."""
    from workbench.doctor import doctor as examine

    found = examine()
    _show(found)
    if "WORKBENCH_DATA" in found.broken:
        _show(f"WORKBENCH_DATA names {settings().own_data.absolute()}, where no folder is")
    raise typer.Exit(0 if found.ok else 1)


@data.command("list")
def data_list() -> None:
    """The data sets that have a card, and which of them are here."""
    from workbench.sources import commands

    _show(commands.list_cards().drop(columns="page"))  # the page is on the card


@data.command("show")
def data_show(name: Name) -> None:
    """One card: task, page, licence, files, checksums."""
    from workbench.sources.cards import find_card

    _show(find_card(name))


@data.command("get")
def data_get(name: Name, folder: Folder = None) -> None:
    """Download a data set from the addresses in its card, and compare it with the card."""
    from workbench.sources import commands

    _show(commands.get(name, folder))


@data.command("add")
def data_add(
    path: Annotated[
        Path,
        Argument(help="a table, packed or not: one row per interaction"),
    ],
    column: Annotated[Texts, Option(help="role=column, such as user=uid; again for more")] = None,
    name: Annotated[Text, Option(help="name of the card; the file's name unless told")] = None,
    items: Annotated[
        Path | None, Option(help="a second file, one row per item: id, title, topics, price")
    ] = None,
    item_column: Annotated[
        Texts, Option(help="of that file: role=column, such as topics=genres")
    ] = None,
    topic_sep: Annotated[Text, Option(help="between the topics of an item")] = None,
    item_encoding: Annotated[str, Option(help="of that file, such as latin-1")] = "utf-8",
    action: Annotated[Texts, Option(help="what an action is, such as buy=purchase")] = None,
    drop: Annotated[Texts, Option(help="an action whose rows are left out; again for more")] = None,
    time_unit: Annotated[
        str, Option(help="of numeric times: s, ms, us, ns; or the form of dates: %d.%m.%Y")
    ] = "s",
    encoding: Annotated[str, Option(help="of a text file, such as latin-1")] = "utf-8",
    sep: Annotated[
        Text, Option(help="between columns; as the first line shows unless told")
    ] = None,
    names: Annotated[
        Text, Option(help="of the columns, where the file has no header: user,item")
    ] = None,
    copy: Annotated[bool, Option("--copy", help="copy the files to WORKBENCH_DATA")] = False,
    yes: Annotated[bool, Option("--yes", help="do not ask")] = False,
) -> None:
    """Make a card for a table of your own: shows what its columns are taken for, then asks."""
    from workbench.data import preview
    from workbench.sources import commands
    from workbench.sources.reading import as_items, layout_of, preview_items

    commands.own_folder()  # before anything is asked
    with said_as_options():
        mapping, actions = _pairs(column, "--column"), _pairs(action, "--action")
        options = {"encoding": encoding, "time_unit": time_unit, "sep": sep, "names": names}
        options |= {"actions": actions | dict.fromkeys(drop or [], "") or None}
        told = {"mapping": mapping or None, **options, "items": items, "topic_sep": topic_sep}
        told |= {"item_columns": _pairs(item_column, "--item-column") or None}
        told |= {"item_encoding": item_encoding}
        told = {key: value for key, value in told.items() if value not in (None, PLAIN.get(key))}
        # what the columns are taken for, unless the layout says it
        if layout_of(path.expanduser()) is None or told:
            seen = preview(path, **{key: told[key] for key in ("mapping", *options) if key in told})
            _show(as_options(str(seen)))
            if items is not None:
                with as_items():
                    known = (told.get("item_columns"), seen.mapping.get("item", ""))
                    _show(preview_items(items, *known, item_encoding))
            if not yes:
                typer.confirm("Are these the roles?", abort=True)
        _show(as_options(str(commands.add(path, name=name, copy=copy, **told))))


@data.command("check")
def data_check(name: Name, folder: Folder = None) -> None:
    """Compare the files of a data set with the checksums and counts of its card."""
    from workbench.sources import commands

    found = commands.check(name, folder)
    _show(found)
    raise typer.Exit(0 if found["ok"].fillna(True).all() else 1)


@data.command("sensitive")
def data_sensitive(
    name: Name,
    topic: Annotated[Text, Option(help="only this topic of the rules")] = None,
    folder: Folder = None,
    rules: Annotated[
        Text,
        Option(help="a TOML file, or the name of the data set whose rules to take"),
    ] = None,
) -> None:
    """The items that the rules in data/sensitive (or your own) call sensitive, and which word says
    so."""
    from workbench.sources import commands

    hits = commands.sensitive(name, topic, folder, rules)
    _show(hits)
    counts = hits["topic"].value_counts(sort=False)
    said = ", ".join(f"{topic} {count:,}" for topic, count in counts.items())
    _show(f"items: {said or 'none'}")


@app.command()
def world(
    size: Annotated[str, Option(help="tiny is the one that is shipped")] = "tiny",
    seed: Annotated[int, Option(help="1 is the one that is shipped")] = 1,
    folder: Annotated[Path | None, Option(help="where to; data/world unless told")] = None,
) -> None:
    """Make the generated world anew: the same seed and size give the same tables."""
    from workbench.worlds.shop import generate, ship_world, sized, write_world

    if folder is None and (size, seed) != ("tiny", 1):
        what = "data/world holds the world of size tiny and seed 1"
        do = "name one, such as --folder my-world"
        raise ConfigError(what, "--folder", "a folder for another world", do)
    made = generate(sized(size, seed))
    ship_world(made) if folder is None else write_world(made, folder)
    _show(made)


@app.command()
def report(
    user: Annotated[str, Option(help="id of the shopper, as in the log, such as 'shopper 3'")],
    data: Annotated[
        Text, Option(help="name of a card; the generated world that is shipped unless told")
    ] = None,
    out: Annotated[Path | None, Option(help="write it to this .html or .md file")] = None,
    folder: Folder = None,
) -> None:
    """The page for one shopper: what they are after, one pick, what speaks against it."""
    from workbench.data import load_world
    from workbench.sources import open_data
    from workbench.views import export
    from workbench.views.paper import console, suffix_of
    from workbench.views.served import ONCE, served, unnamed

    # what cannot end well ends before anything is fitted
    if out is not None:
        suffix_of(out)
    opened = load_world() if data is None else open_data(data, folder)
    log, catalogue = opened.log, opened.catalogue
    # on the command line every id is text
    named = dict(zip(map(str, log.users), range(log.n_users), strict=True))
    code = named[user] if user in named else log.user_code(user)
    topics = unnamed(catalogue, data or "generated-world")
    service = served(log, catalogue, topics or ())
    page = service.report(code)
    _show(console(page))
    if service.mask_seen:
        _show(ONCE)
    if topics is None:
        _show(f"No rules say which topics of {data} are sensitive: none is left unsaid.")
    if out is not None:
        _show(f"written to {export(page, out)}")


@app.command()
def purge(
    user: Annotated[str, Option(help="id of the user, as in the log")],
    code: Annotated[int | None, Option(help="code of the user, for files that hold codes")] = None,
    folder: Annotated[
        Path | None, Option(help="cache or run folder; the settings' folders unless told")
    ] = None,
    dry: Annotated[bool, Option("--dry", help="only look, change nothing")] = False,
) -> None:
    """Remove a user's rows from caches and run folders: the workbench itself is a memory tier."""
    from workbench import ledger

    found = ledger.purge(user, folder, code=code, dry=dry)
    if len(found) > 1:
        _show(found.iloc[:-1])
    _show(found["note"].iloc[-1])


def main() -> None:
    """Entry point: a WorkbenchError is one line on stderr and exit code 2, never a traceback."""
    warnings.showwarning = lambda said, *_, **__: print(f"Note: {said}", file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):  # a letter that the terminal lacks stops nothing
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="workbench")
    except WorkbenchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
