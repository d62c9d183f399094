"""Notebooks as pages that load nothing from elsewhere: `python start.py site` ends here."""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tools.command import answered
from tools.notebooks import (
    chosen,
    execute,
    normalise,
    one_by_one,
    read,
    refresh,
    student,
    title,
    write,
)
from workbench.errors import DataError
from workbench.settings import ROOT
from workbench.views.page import source_hash
from workbench.whole import whole_file

PLOTLY = "application/vnd.plotly.v1+json"
PAGE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>main { max-width: 68rem; margin: 0 auto; } .jp-RenderedMarkdown { max-width: 54rem; }
math[display="block"] { margin: .8em 0; } details.answer > summary { margin-left: 4.5rem; }
body > nav { max-width: 68rem; margin: 0 auto; font: .9rem/1.5 system-ui, sans-serif; }</style>
{%- endblock -%}
{%- block body_header -%}{{ super() }}
<nav><a href="index.html">All questions</a> · <a href="forget.html">Press <em>Forget</em> yourself</a></nav>
{%- endblock -%}
{%- block any_cell scoped -%}
{%- if 'solution' in cell.metadata.get('tags', []) -%}
<details class="answer"><summary>Solution</summary>{{ super() }}</details>
{%- elif 'expected' in cell.metadata.get('tags', []) -%}
<details class="answer"><summary>What is expected</summary>{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{%- endblock -%}
"""
SCREEN = ROOT / "docs" / "forget.html"
"""The forget screen of notebook 00 as one file, which computes by itself."""
TITLE = "<title>What depends on this person's data?</title>"
INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What depends on this person's data?</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 48rem; margin: 3rem auto; padding: 0 1rem; }}
td, th {{ padding: .35rem .9rem .35rem 0; text-align: left; vertical-align: top; }}
</style></head><body>
<h1>What depends on this person's data?</h1>
<p><strong><a href="forget.html">Press <em>Forget</em> yourself</a></strong>: the screen of the first notebook, alive in
this page, nothing to install.</p>
<p>Asked of a sentence, a recommendation and a word. These pages are the notebooks as they ran{student};
to change something, run <code>python start.py lab</code>.</p>
<table><thead><tr><th scope="col">No</th><th scope="col">Question</th></tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


# --- text of the notebook --------------------------------------------------------------------------

MATHML = "math merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms"
MATHML += " mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover"
DRAWN = "accent accentunder columnalign columnlines columnspacing depth display displaystyle fence"
DRAWN += " form height largeop linethickness lspace mathsize mathvariant maxsize minsize"
DRAWN += " movablelimits rowlines rowspacing rspace scriptlevel separator stretchy symmetric width"
"""Elements and attributes of MathML that draw; none that links or runs."""
KEPT = {"div": {"class"}, "span": {"class"}, "pre": {"class"}, "code": {"class"}}
KEPT |= {f"h{level}": {"id"} for level in range(1, 7)}
"""What code and headings need beside the attributes that nh3 lets through."""
PICTURE = r"data:image/|(?!\s*([a-z][a-z0-9+.-]*:|//))"
"""One that the page carries, or that stands beside it."""
LINK = "(?!data:)"


def _clean(text: str) -> str:
    """HTML without scripts, handlers, styles and addresses that load or run something."""
    import nh3

    math = {tag: set(DRAWN.split()) for tag in MATHML.split()}
    attributes = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()}
    attributes |= {tag: names | attributes.get(tag, set()) for tag, names in (math | KEPT).items()}

    def kept(tag: str, name: str, value: str) -> str | None:
        return value if re.match(PICTURE if name == "src" else LINK, value, re.I) else None

    return nh3.clean(
        text,
        tags=nh3.ALLOWED_TAGS | math.keys(),
        attributes=attributes,
        url_schemes={"http", "https", "mailto", "data"},
        attribute_filter=kept,
    )


def _equation(text: str, display: str) -> str:
    """MathML, which browsers draw by themselves; LaTeX that cannot be converted is shown as it was
    written."""
    from latex2mathml.converter import convert

    try:
        # The name space goes: HTML needs none, and nbconvert would rewrite it in headings.
        mathml = convert(text.strip().strip("$").strip(), display=display)
        return mathml.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    except Exception:  # the converter raises many kinds, none of them worth losing a page
        return f"<code>{html.escape(text)}</code>"


def _markdown(source: str) -> str:
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def inline_math(self, body: str) -> str:
            return _equation(body, "inline")

        def block_math(self, body: str) -> str:
            return _equation(body, "block")

        multiline_math = block_math

        def latex_environment(self, name: str, body: str) -> str:
            return _equation(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")

    renderer = Renderer(escape=False, exclude_anchor_links=True)
    return _clean(MarkdownWithMath(renderer=renderer).render(source))


# --- figures, and what the page may do -------------------------------------------------------------

SCRIPT = re.compile(r"<script[^>]*>(.*?)</script>", re.DOTALL)
POLICY = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; script-src {}'
POLICY += "; img-src 'self' file: data: blob:; style-src 'unsafe-inline'; font-src data:"
POLICY += "; base-uri 'none'; form-action 'none'\">"


def _draw_plotly(notebook: NotebookNode) -> list[str]:
    """Give every plotly output an HTML form that reads plotly.min.js beside the page; the scripts
    that draw them."""
    import plotly.io

    scripts: list[str] = []
    for cell in notebook.cells:
        for number, output in enumerate(cell.get("outputs", [])):
            figure: dict[str, Any] | None = output.get("data", {}).pop(PLOTLY, None)
            if figure:
                figure = {key: figure[key] for key in ("data", "layout") if key in figure}
                name = f"figure-{cell.get('id', 'cell')}-{number}"
                options = dict.fromkeys(("include_plotlyjs", "full_html", "validate"), False)
                drawn = plotly.io.to_html(figure, div_id=name, **options)
                output.data["text/html"] = drawn
                scripts += SCRIPT.findall(drawn)
    return scripts


def _policy(scripts: Sequence[str]) -> str:
    """A page runs the scripts that draw its figures and no other, and asks nobody for anything."""
    beside = ["'self'", "file:"] if scripts else ["'none'"]  # plotly.min.js, served or in a folder
    return POLICY.format(" ".join([*beside, *map(source_hash, scripts)]))


def page(notebook: NotebookNode, name: str) -> str:
    """A notebook as one HTML page: no script, style, font or picture from elsewhere.

    Equations become MathML; plotly figures read `plotly.min.js` beside the page; widgets show their
    static form. Markdown is cleaned, and the page carries a policy under which nothing runs that an
    output brings along.
    """
    from jinja2 import DictLoader
    from nbconvert import HTMLExporter

    notebook = normalise(nbformat.from_dict(notebook))
    scripts = _draw_plotly(notebook)
    exporter = HTMLExporter(
        extra_loaders=[DictLoader({"page.html.j2": PAGE})], template_file="page.html.j2"
    )
    exporter.register_filter("markdown2html", _markdown)
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": name}})
    library = '<script src="plotly.min.js"></script>' if scripts else ""
    body = body.replace("</head>", f"{library}</head>", 1)
    # before anything that it rules
    return re.sub(r"(<head[^>]*>)", lambda head: head[1] + _policy(scripts), body, count=1)


def index(rows: Sequence[tuple[str, str]], for_students: bool = False) -> str:
    """The first page: number and question of each notebook, linked; for students the notebooks,
    too."""
    lines = []
    for stem, question in rows:
        name, text = html.escape(stem), re.sub(r"\*(.+?)\*", r"<em>\1</em>", html.escape(question))
        book = f'<td><a href="notebooks/{name}.ipynb">notebook</a></td>' if for_students else ""
        lines.append(f'<tr><td>{name[:2]}</td><td><a href="{name}.html">{text}</a></td>{book}</tr>')
    told = ", without the solutions" if for_students else ""
    return INDEX.format(rows="\n".join(lines), student=told)


def write_site(
    out: Path, names: Sequence[str] = (), run: bool = True, for_students: bool = False
) -> list[Path]:
    """Execute the notebooks and write a page for each, with an index and the forget screen; with
    `for_students` also the notebooks.

    An older site is written over; raises `DataError` for files in the way that are none of its.
    """
    import plotly.offline

    paths, rows, written = chosen(names), [], []
    _refuse_others(out, ["index", *(path.stem for path in paths)])
    for path in one_by_one(paths):
        notebook = read(path)
        notebook = execute(notebook, name=path.name) if run else notebook
        notebook = student(notebook) if for_students else notebook
        written.append(out / f"{path.stem}.html")
        text = page(notebook, path.stem)
        rows.append((path.stem, re.sub(r"^\d+\W+", "", title(notebook))))
        _put(out / "index.html", index(rows, for_students))  # first: it says whose the folder is
        _put(written[-1], text)
        if for_students:
            write(normalise(notebook), out / "notebooks" / path.name)
    _put(out / "plotly.min.js", plotly.offline.get_plotlyjs())
    shutil.copyfile(SCREEN, out / SCREEN.name)
    return [out / "index.html", *written]


def _refuse_others(out: Path, stems: Sequence[str]) -> None:
    """Before anything runs: what has the name of a page must be a page of an older site."""
    first = out / "index.html"
    if first.is_file() and TITLE in first.read_text(encoding="utf-8", errors="replace"):
        return
    names = [*(f"{stem}.html" for stem in stems), "plotly.min.js", "notebooks", SCREEN.name]
    taken = [name for name in names if os.path.lexists(out / name)]
    if taken:
        what = f"holds {', '.join(taken)}, and is no site that was written here"
        do = "move it away, or name another folder with --out"
        raise DataError(what, str(out), "an empty folder, or an older site", do)


def write_screen(path: Path = SCREEN) -> Path:
    """Write the forget screen of notebook 00, fitted anew; for what is raised see `export`."""
    from workbench import views
    from workbench.data import load_world
    from workbench.ledger import Service
    from workbench.recommend import EASE

    world = load_world()
    service = Service.build(world.log, world.catalogue, EASE())
    source = f"generated world {world.version}"
    return views.export(views.Screen(service, 187, "Horror novels", data=source), path)


def _put(path: Path, text: str) -> None:
    with whole_file(path) as new:
        new.write_text(text, encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """`site` or `refresh`, with their options."""
    parser = argparse.ArgumentParser(prog="start.py")
    parser.add_argument("what", choices=["site", "refresh"])
    parser.add_argument("names", nargs="*", help="only notebooks that begin so, such as 00 or 20_")
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="site: folder of the pages")
    parser.add_argument(
        "--student", action="store_true", help="site: without the cells tagged solution"
    )
    parser.add_argument(
        "--as-saved", action="store_true", help="site: pages of the saved outputs, nothing is run"
    )
    asked = parser.parse_intermixed_args(arguments)  # names may follow an option

    def work() -> str | None:
        if asked.what == "refresh":
            if any(path.name.startswith("00") for path in refresh(asked.names)):
                write_screen()
            return None
        written = write_site(
            asked.out, asked.names, run=not asked.as_saved, for_students=asked.student
        )
        return f"{len(written) - 1} pages; open {written[0]}"

    return answered(work)


if __name__ == "__main__":
    raise SystemExit(main())
