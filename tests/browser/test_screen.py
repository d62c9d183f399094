"""The live screen in a real JupyterLab: click a sentence, see its rows, press Forget, read the
result."""

from __future__ import annotations

import re
import time
from pathlib import Path

import nbformat

from tests.browser.conftest import IDLE
from tests.views.states import IMG
from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.views import Screen

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK = "notebooks/00_what_happens_when_i_press_forget.ipynb"
HOSTILE = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.views.test_screen_state import IMG, Service, EASE, Screen, hostile, load_world
from workbench.views import show
world = load_world()
show(Screen(hostile(Service.build(world.log, world.catalogue, EASE())), 310, IMG))"""
PRETEND = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from tests.views.test_show import Pretend
from workbench.views import show
show(Pretend())"""

SLOW = f"""import sys, time; sys.path.insert(0, {str(ROOT)!r})
from tests.views.states import after, start
from workbench.views import show
class Slow:
    state, made = start(), 0
    def steps(self, action):
        own = after(action) | {{"null": [], "controls": {{"done": 0, "of": 6}}}}
        yield {{"state": own | {{"provenance": f"{{self.made}} controls made before"}}}}
        for done in range(1, 7):
            time.sleep(0.8)
            self.made += 1
            told = {{"rows": 1, "gone": 0, "others": done, "again": 1}}
            yield {{"control": {{"kind": "placebo rows", **told}},
                   "controls": {{"done": done, "of": 6}}}}
show(Slow())"""
BUSY = "import time; time.sleep(4); print('cell done')"


def carrying(screen):
    """Row ids of the products that are lit."""
    return screen.locator(".wbs-lit").evaluate_all(
        "rows => rows.flatMap(row => row.dataset.rows.split(' ').map(Number))"
    )


def test_notebook_00_forgets_a_sentence(lab, quiet, run_all):
    begin = time.monotonic()
    quiet.goto(lab.page(NOTEBOOK))
    quiet.wait_for_function(IDLE, timeout=90_000)
    ready = time.monotonic()
    for _ in range(2):  # the title, then the cell that makes the screen
        quiet.evaluate(
            "() => window.jupyterapp.commands.execute('notebook:run-cell-and-select-next')"
        )
    screen = quiet.locator(".wbs").first
    screen.locator(".wbs-columns").wait_for()
    print(
        f"page and kernel {ready - begin:.1f} s, first screen {time.monotonic() - ready:.1f} s more"
    )
    quiet.wait_for_function(IDLE, timeout=90_000)

    # single claims are folded below the page
    screen.locator("[data-key=margin]").click()
    sentence = screen.locator("[data-claim]", has_text="of what speaks for it").first
    sentence.click()
    lit = carrying(screen)
    assert lit and screen.locator(".wbs-lit").count() < screen.locator("[data-rows]").count()
    button = screen.locator("[data-key=forget]")
    count = int(button.inner_text().split()[1])
    assert 0 < count <= len(lit)
    button.click()
    screen.locator(".wbs-removed").first.wait_for()
    assert sentence.get_attribute("data-fate") in ("gone", "back")
    strip = screen.locator(".wbs-answers")
    strip.filter(has_text=re.compile("other things? of yours deleted instead")).wait_for()
    told = strip.inner_text()
    assert re.search(rf"{count} of \d+ things you did", told) and re.search(
        r"\d+ of 399 other shoppers", told
    )

    screen.locator("[data-key=again]").click()
    screen.locator(".wbs-removed").first.wait_for(state="detached")
    screen.locator(".wbs-chip", has_text="Horror novels").click()
    button.click()
    screen.locator("[data-fate=back]").first.wait_for(state="attached")
    assert "deleted products are offered again" in screen.locator(".wbs-answers").inner_text()
    assert "offered again" in screen.locator(".wbs-told").inner_text()
    screen.locator("[data-key=switch-tombstone]").check()
    screen.locator(".wbs-deleted").first.wait_for(state="detached")


def test_a_hostile_shop_is_text_in_a_real_notebook(lab, quiet, run_all):
    run_all(quiet, lab.add("notebooks/hostile.ipynb", HOSTILE))
    screen = quiet.locator(".wbs").first
    screen.locator(".wbs-columns").wait_for()
    screen.locator(".wbs-chip", has_text=IMG).click()
    screen.locator("[data-key=forget]").click()
    screen.locator(".wbs-removed").first.wait_for()
    text = screen.inner_text()
    assert IMG in text and "</script><script>alert(2)</script><!-- ⟨U+2028⟩" in text
    assert quiet.locator(".jp-OutputArea img, .jp-OutputArea script").count() == 0


def test_a_pretend_service_shows_every_mark(lab, quiet, run_all):
    run_all(quiet, lab.add("notebooks/pretend.ipynb", PRETEND))
    screen = quiet.locator(".wbs").first
    screen.locator("[data-claim=bb]").click()
    assert carrying(screen) == [42]
    screen.locator("[data-claim=aa]").click()
    assert carrying(screen) == [17, 23, 42]
    row = screen.locator("[data-rows='17']")
    assert "60 %" in row.inner_text() and "of the fewest" in row.inner_text()
    assert row.get_attribute("aria-pressed") == "true"

    screen.locator("[data-key=forget]").click()
    screen.locator("[data-claim=aa][data-fate=back]").wait_for()
    answers = screen.locator(".wbs-answers").inner_text()
    assert (
        "1 of 4 things" in answers
        and "other things you did say so" in answers
        and "38 of 399" in answers
    )
    assert screen.locator("[data-claim=bb] s").count() == 1
    assert "offered again" in screen.locator(".wbs-deleted").inner_text()


def test_keyboard_alone_reaches_everything(lab, quiet, run_all):
    run_all(quiet, lab.add("notebooks/keys.ipynb", PRETEND))
    screen = quiet.locator(".wbs").first
    screen.locator("[data-claim=aa]").focus()
    quiet.keyboard.press("ArrowDown")
    quiet.keyboard.press("Enter")
    assert screen.locator("[data-claim=bb]").get_attribute("aria-pressed") == "true"
    assert screen.locator("[data-claim=bb]").evaluate(
        "element => element === document.activeElement"
    )
    screen.locator("[data-rows='42']").focus()
    quiet.keyboard.press("ArrowDown")
    quiet.keyboard.press("Space")
    assert screen.locator("[data-key=forget]").inner_text() == "Forget 2 things"
    screen.locator("[data-key=forget]").focus()
    quiet.keyboard.press("Enter")
    screen.locator(".wbs-removed").first.wait_for()
    assert screen.locator(".wbs-removed").count() == 2
    assert "Forgotten." in screen.locator("[role=status]").inner_text()


def test_controls_come_one_by_one_and_another_press_ends_them(lab, quiet, run_all):
    run_all(quiet, lab.add("notebooks/slow.ipynb", SLOW))
    screen = quiet.locator(".wbs").first
    strip, forget = screen.locator(".wbs-answers"), screen.locator("[data-key=forget]")
    forget.click()
    # the request's own answer first, and no verdict
    strip.filter(has_text="0 of 6 comparisons made so far").wait_for()
    assert screen.locator("[data-claim=aa]").get_attribute("data-fate") == "back"
    assert "38 of 399" in strip.inner_text()
    strip.filter(has_text="2 of 6 comparisons made so far").wait_for()
    assert "deleted instead" not in strip.inner_text()
    # another press: answered after the control at hand, before the last
    screen.locator("[data-key=switch-tombstone]").check()
    source = screen.locator(".wbs-source").filter(has_text=re.compile("^[2-5] controls made"))
    source.wait_for()
    made = int(source.inner_text().split()[0])
    print(f"{made} of 6 controls were made before the other press was heard")
    strip.filter(
        has_text="1 other thing of yours deleted instead (6 draws, too few for a verdict): 0 gone, here 1"
    ).wait_for()
    assert "comparisons made so far" not in strip.inner_text()
    assert "1 to 6 other lists changed, here 38" in strip.inner_text()
    assert "1 of their products offered again, here 1" in strip.inner_text()
    assert "6 draws" in screen.locator("[role=status]").inner_text()
    # and those that were left of the first are never made
    screen.locator("[data-key=again]").click()
    screen.locator(".wbs-source").filter(has_text=f"{made + 6} controls made before").wait_for()


def test_a_press_waits_for_a_running_cell(lab, quiet, run_all):
    """Both may train, and training draws from one generator."""
    run_all(quiet, lab.add("notebooks/busy.ipynb", SLOW, BUSY))
    screen = quiet.locator(".wbs").first
    done = quiet.locator(".jp-OutputArea-output pre", has_text="cell done")
    quiet.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
    done.wait_for(state="detached")
    screen.locator("[data-key=forget]").click()
    screen.locator(".wbs-why", has_text="working").wait_for()
    screen.locator(".wbs-answers").filter(has_text="0 of 6 comparisons made so far").wait_for()
    assert done.count() == 1
    screen.locator(".wbs-answers").filter(has_text="6 draws").wait_for()


REAL = f"""import sys; sys.path.insert(0, {str(ROOT)!r})
from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import EASE
from workbench.views import Screen, show
world = load_world()
show(Screen(Service.build(world.log, world.catalogue, EASE()), 310, "Horror novels"))"""


SCROLLS = """all => all.filter(e => ["auto", "scroll"].includes(getComputedStyle(e).overflowY)
  && e.scrollHeight > e.clientHeight + 1).length"""
PARTS = (".wbs-forget", ".wbs-result", ".wbs-report", ".wbs-list[aria-label=After]", ".wbs-answers")


def test_button_report_list_and_answers_lie_in_one_window(lab, quiet, run_all):
    """On a projector, on a small laptop, and enlarged to 150 %; then in larger type for a room."""
    run_all(quiet, lab.add("notebooks/window.ipynb", REAL))
    screen = quiet.locator(".wbs").first
    for width, height in ((1280, 720), (1100, 800), (960, 600)):
        quiet.set_viewport_size({"width": width, "height": height})
        screen.locator(".wbs-chip", has_text="Horror novels").click()
        screen.locator("[data-key=forget]").click()
        screen.locator(".wbs-answers").filter(has_text="deleted instead").wait_for()
        seen_at_once(screen, quiet.locator(".jp-WindowedPanel-outer").first.bounding_box())
        screen.locator("[data-key=again]").click()
        screen.locator(".wbs-removed").first.wait_for(state="detached")
    quiet.set_viewport_size({"width": 1280, "height": 720})
    screen.locator(".wbs-chip", has_text="Horror novels").click()
    screen.locator("[data-key=forget]").click()
    screen.locator(".wbs-answers").filter(has_text="deleted instead").wait_for()
    size = type_of(screen)
    screen.locator("[data-key=larger]").click()
    quiet.wait_for_function("() => document.fullscreenElement?.matches('.wbs')")
    quiet.wait_for_function("() => innerHeight === 720")
    seen_at_once(screen, {"x": 0, "y": 0, "width": 1280, "height": 720})
    assert type_of(screen) > 1.2 * size
    # what still remembers is told first, and whatever is left out has a sign
    screen.locator("[data-key=switch-profile]").uncheck()
    deleted = screen.locator(".wbs-answers p").first
    deleted.filter(has_text="still in: the notes about you").wait_for()
    assert "still in: the notes about you" in deleted.inner_text()
    screen.locator(".wbs-answers").filter(has_text="deleted instead").wait_for()
    assert re.search(CONTROL, screen.locator(".wbs-answers p").last.inner_text())
    last = ".wbs-answers p:has(span:nth-child(3)) span:nth-child(2)"
    signs = screen.locator(last).evaluate_all(SIGNS)
    assert signs and set(signs) == {'" · …"'}


SIGNS = "all => all.map(e => getComputedStyle(e, '::after').content)"
CONTROL = r"\d+ other lists changed, here \d+ \(a stranger leaving: \d+( to \d+)?\)"


def type_of(screen) -> float:
    """Pixels of the type of the answers."""
    return float(
        screen.locator(".wbs-answers p").first.evaluate(
            "e => parseFloat(getComputedStyle(e).fontSize)"
        )
    )


def seen_at_once(screen, window) -> None:
    """Whole in the window, nothing scrolls inside, and what is counted is what is shown."""
    for part in PARTS:
        box = screen.locator(part).bounding_box()
        assert box["y"] >= window["y"] - 1, part
        assert box["y"] + box["height"] <= window["y"] + window["height"] + 1, part
    assert screen.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert screen.locator("*").evaluate_all(SCROLLS) == 0
    told = screen.locator(".wbs-answers p").all_inner_texts()
    assert len(told) == 5 and all(len(text) > 10 for text in told)
    assert re.search(CONTROL, told[4])
    # the line beside the button, counted among claims, in the list and in the fourth answer
    claims = screen.locator(".wbs-report .wbs-margin [data-claim]")
    gone, back = (
        claims.and_(screen.locator(f"[data-fate={fate}]")).count() for fate in ("gone", "back")
    )
    again = screen.locator(".wbs-list[aria-label=After] .wbs-deleted").count()
    some = f"{again} deleted product{'s' if again > 1 else ''} offered again"
    others = re.match(r"(\d+) of 399 other shoppers get", told[3])[1]
    line = screen.locator(".wbs-result").inner_text()
    assert line.startswith(f"{gone} sentences gone · {back} came back")
    assert line.endswith(f"{some} · {others} of 399 other lists changed")


def test_a_notebook_just_opened_shows_the_screen_as_the_live_one_looks(lab, quiet):
    """Not trusted and not run: JupyterLab cleans its saved output."""
    world = load_world()
    still = Screen(Service.build(world.log, world.catalogue, EASE()), 310, "Horror novels")
    path = lab.add("notebooks/saved.ipynb", "1")
    notebook = nbformat.read(lab.root / path, as_version=4)
    data = {"text/html": still._repr_html_(), "text/plain": "a screen"}
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", data)]
    nbformat.write(notebook, lab.root / path)
    quiet.goto(lab.page(path))
    quiet.locator(".jp-RenderedHTML td").first.wait_for()
    # the page on the screen has a table of its own
    history, report, told, *lists = quiet.locator(".jp-RenderedHTML td:not(td td)").all()
    left, right = history.bounding_box(), report.bounding_box()
    assert left["x"] + left["width"] <= right["x"] + 2 and left["y"] == right["y"]
    beside = told.bounding_box()
    assert right["x"] + right["width"] <= beside["x"] + 2 and right["y"] == beside["y"]
    assert len(lists) == 1
    for cell in (history, report, told, *lists):
        look = cell.evaluate(
            "e => [getComputedStyle(e).textAlign, getComputedStyle(e).verticalAlign]"
        )
        assert look == ["left", "top"]
    text = quiet.locator(".jp-RenderedHTML").inner_text()
    assert "◆\u00a0" in text and "our pick is" in text and "☑\u00a0what you did here" in text
