"""The shelves of the package: which file stands where, how large it is, and how large a shelf may
grow.

A file changes its shelf by a line in `SHELVES`, with a reason.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parents[1] / "workbench"
REACH = 3_500
"""Code lines that one notebook may load: what its reader can be sent into."""
OVER = {
    "00": 6_750,
    "00_your_own_forget_screen.ipynb": 8_550,
    "10": 5_600,
    "11": 4_800,
    "13": 7_300,
    "14": 9_430,
    "20": 4_250,
    "21": 3_900,
    "22": 6_210,
    "23": 6_560,
    "24": 7_560,
    "25": 7_060,
    "26": 9_090,
    "30": 3_850,
    "31": 4_000,
    "32": 3_700,
    "40": 11_650,
}
"""Notebooks that miss it, with what each is held to until it comes down: checks of what is handed
in stand in the files that do the work, and are loaded with them. 00 shows the page on its
screen, with its reasons, refills and layout, and what is said where nothing is left to offer and where a
result came from; that on one's own data (real/00) what reads and doubts a
stranger's files as well. 10 reads the whole page: deeds,
phrases and table, the agent, own actions, buttons, what requests reach, and two sections that are
options, with what tests them; 11 a simulator, three recommenders and an agent that asks beside
it, two views, and since its weights are a place that is trained on, what trains it;
13 a page with its reasons and refills, the three memories it learns from, what forgets them,
and three views of them; 14 a page, what measures and judges it, a language model that writes it with
the check of its words (numbers, lists, denials, who does what), PIR and the strip. 20 asks its question of three
tasks, with seven models and a stream of requests; 22 to 26 load a trained model, the methods that they run (a row of
`methods.py` opens its own), and what serves, judges and draws them; 26 the grid as well, with requests in
tables and in writing. 30 to 32 load what reads a GGUF file and an adapter, with what is refused. 40 closes the
loop: a page with all its memories, two models, a receipt, and words scored by a language model. Of
every one 40 lines say what its tables were made of; 00 writes several results on one page, 21 holds
models of one's own against others by several measures and seeds."""
LONGEST = 300
"""Lines of a file."""


class Shelf(NamedTuple):
    """A shelf: its name, what stands on it (a pattern of paths below `workbench/`), and its budget
    in lexical tokens; None where nobody has to read it."""

    name: str
    holds: str
    budget: int | None


# first match wins
SHELVES = (
    # what became of a stream of requests: a chart drawn as text, and what stands on it. Counted apart
    # from screen and strip, whose readers open none of it; 400 for the choices of the live frontier
    Shelf("unlearning views", r"views/unlearning/", 6_890),
    # the page to a shopper where it is looked at: on paper, as a file, and what it learnt of its reader.
    # Counted apart from screen and strip, whose readers open none of it; 1,300 for blinded readings;
    # 3,000 for two figures that are read from afar, of memory purchase by purchase and of interest
    Shelf("page views", r"views/(learnt/|page|paper|readings|served)", 8_850),
    # imagined visits as a flow, and why a product is on no list: notebook 11 alone opens them
    Shelf("imagined views", r"views/imagined/", 2_740),
    # 1,100 for the reward microscope, which notebook 12 alone opens
    # 600 for several results on one page, and tables as files; 1,350 for the five answers, the line
    # beside the button and the researcher's margin, which the static screen could not say
    Shelf("views", r"views/", 18_950),
    # the two tiny architectures that learn the worlds: no core file imports them
    Shelf("worlds", r"(worlds/|tokens/small_models\.py)", None),
    Shelf("sources", r"sources/", None),
    Shelf("command", r"(cli|doctor|unlearning/commands)\.py", None),
    # where foreign things come in and go out: models, adapters, servers and their answers, folders
    # of runs, files searched for an id. Counted apart: a reader of the science opens none of them,
    # and most of what they hold is what a stranger may hand in; 1,700 for
    # chains, and for three engines whose clusters start again and whose workers end with the run; 700
    # for the openai client, kept to what an endpoint says; 400 for an end to the whole exchange with a
    # server, as a client's own timeout starts anew with every byte; 4,050 for GGUF files, whose header
    # may come from anywhere: walked over before a library reads it, its tokenizer converted once, kept
    Shelf(
        "doors",
        r"(language/|runs\.py|_engines\.py|_run_folders\.py|ledger/(purge|cached)\.py)",
        18_600,
    ),
    # what a loss must offer: fine-tuning stands on it
    Shelf("science core", r"tokens/weights/protocol\.py", None),
    # one page a published method, and the parts that the methods of a family share
    Shelf("recommenders", r"recommend/(collaborative|session|basket)/", None),
    # measures and a table that a reader asks for, and how a model of two methods forgets; no core
    # file stands on them
    Shelf("recommenders", r"recommend/(beyond|comparison|refit)\.py", None),
    Shelf("token methods", r"tokens/(weights|attribution)/", None),
    Shelf(
        "token methods",
        r"tokens/(trust|_trust_checks|judge|_rubric|mixture|deletion|_fates|maps|retrieval)\.py",
        None,
    ),
    # measures of a fine-tuned model, and texts of one's own: what notebooks show, not what core stands on
    Shelf("token methods", r"tokens/(evaluation|own)\.py", None),
    # prompts from the texts of worlds: no core file imports them
    Shelf("worlds", r"tokens/corpora\.py", None),
    # leavers: one question of notebook 20, asked of one core function
    Shelf("unlearning methods", r"unlearning/(algorithms/|audit/|boomerang|leavers)", None),
    Shelf(
        "unlearning methods",
        r"unlearning/(grid\w*|receipt\w*|methods|assessment|commands)\.py",
        None,
    ),
    # what a receipt reads from a service: a page of its own, no core file stands on it
    Shelf("unlearning methods", r"ledger/receipts\.py", None),
    # three requests one after another, a forecast of them, what of it is measured, and texts written
    # from memory items: notebook 40's last pages, no core file stands on them
    Shelf(
        "unlearning methods",
        r"ledger/(course|_steps|written|forecast|promises|_cells)\.py",
        None,
    ),
    # what a reader asks of a list, requests in a table, how fake accounts look, and a forget set that
    # only notebooks draw: no other code stands on them
    Shelf("unlearning methods", r"unlearning/(lists|asking|flood|_accounts)\.py", None),
    # what the benchmark of unlearning stands on: requests, streams, curvature, endpoints. Counted
    # apart from the science that notebooks 00 to 21 and 40 reach, whose readers open none of it
    Shelf(
        "unlearning core",
        r"unlearning/(requests|scenarios?|spam|outcome|stream|curvature|endpoints|references"
        r"|measures)\.py",
        14_950,
    ),
    Shelf("report methods", r"reports/(recpilot/|_?evaluation|_?judges)", None),
    # a page in a language model's words, what may stand in them and how personal they are: whoever has
    # no model opens none of it; what is had, picked and said of two products was let through before; 450 for
    # who does what: a rating that people gave was let through as one of the shopper's
    Shelf("wording", r"(reports/wording\w*|ledger/words)\.py", 8_150),
    # the page that is written to a shopper: what they did, one table of one kind, sentences of several
    # claims. Who follows a claim to its rows opens none of it. 1,750 for why the pick is not what the
    # page opens with, what people buy again, and what else to buy; 600 for what came of a wish for
    # something cheaper; 50 for a page by section, which its file and the console had apart, 150 there;
    # 90 for a page on which nothing is left to offer
    Shelf(
        "page",
        r"reports/(deeds|forms|layout|page|phrases|reasons|refills|shopper|table)\.py",
        11_490,
    ),
    # whoever brings a model of their own reads these, and nobody else; a folder, as one file of
    # 660 lines was three ideas
    Shelf("laws", r"(recommend|tokens|unlearning)/laws", None),
    # 1,500 for presses of buttons, which no model learns from, and for what stores tell a page; 800
    # for what a visit is, and for names that stand so near a topic left unsaid that they tell it
    # 250 for a report and a service that take a writer; 350 for a wish for something cheaper, which
    # holds beyond the kind; 100 for the paired area under a curve; 10 for what changes that landed
    # together brought; 110 for configs that cast nothing, and classes that refuse by name what they
    # are not made of: eleven views raised what was foreign; 300 for copies and seeds of models that are
    # not the house's (a third of it came from the core of unlearning), and settings by name;
    # 50 for examples that are scored as they are; 250 for every public function of pages and ledger,
    # which looks at what it is handed, and at each of several; 700 for what every table says it was
    # made of, and how log and catalogue look
    Shelf("science core", r".", 72_680),
)
WHOLE = 393_950
"""Lexical tokens of the package. The goals are 60,000 for the core before the wings, language, runs
and purge among it, and 165,000 for the whole. Both are missed, by core and doors together and by
the whole: refusing what is odd costs as much as doing what is right. The benchmark of unlearning
alone (requests to receipts, nineteen ways to forget in two modes, twelve attacks, the grid) is
70,000, the page to a shopper 10,700. What that page learns of its reader, remembers of visits and
imagines of the next (`reports/recpilot/`: rules in words, a file that may come from anywhere, own
actions as the base ranking, a simulator trained from scratch and its reward), with what measures and
judges pages, is 47,400; the words of a language model held against claims 7,700; the page where it
is looked at (screen, file, Markdown, console, what it learnt, blinded readings) 9,000; GGUF files
4,050; what a model of one's own is held against others by (seeds, several measures, a table for a
paper) 1,700; an agent that asks attribute by attribute 1,150; somebody's own shop (prices
in words, columns that are called otherwise, layouts by their folder, what a notebook shows of it
first, and 150 for a log too wide to invert) 3,600; arguments of another kind at the doors of tables
and texts 200; pages and files for others, and what each table says of itself 1,500. These lines
hold what was reached."""


def reach_of(notebook: str) -> int:
    """Code lines that a notebook may load, by the name of its file."""
    return OVER.get(notebook, OVER.get(notebook[:2], REACH))


def files() -> list[Path]:
    """Every file of the package."""
    return sorted(PACKAGE.rglob("*.py"))


def shelf_of(path: Path) -> str:
    """The name of a file's shelf."""
    where = path.relative_to(PACKAGE).as_posix()
    return next(shelf.name for shelf in SHELVES if re.match(shelf.holds, where))


@cache
def size(path: Path) -> tuple[int, int]:
    """Code lines and lexical tokens of a file; docstrings, comments and blank lines left out."""
    text = path.read_text(encoding="utf-8")
    skip = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    skip |= {tokenize.ENDMARKER, tokenize.ENCODING}
    documented = docstring_lines(ast.parse(text))
    kept = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        docstring = token.type == tokenize.STRING and token.start[0] in documented
        if token.type not in skip and not docstring:
            kept.append(token)
    lines = {line for token in kept for line in range(token.start[0], token.end[0] + 1)}
    return len(lines), len(kept)


def docstring_lines(tree: ast.Module) -> set[int]:
    """Lines that a docstring stands on."""
    found: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        value = first.value if isinstance(first, ast.Expr) else None
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            found.update(range(first.lineno, first.end_lineno + 1))
    return found
