"""How the memories came about: every step is what a memory that ends there says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.reports.shops import shop
from tests.views.states import IMG, SCRIPT
from tests.views.test_screen_state import hostile
from tests.views.test_show import TAGS, Page
from workbench.data import load_world
from workbench.errors import ModelError, UnknownUser
from workbench.ledger import Service, Switches
from workbench.recommend import EASE
from workbench.reports import EntityStore
from workbench.reports.recpilot import ATTRIBUTES, Experience, Rubric, press
from workbench.views import Course, show

STORES = (EntityStore, Rubric, Experience)
WORLD = load_world()


@pytest.fixture(scope="module")
def service():
    return Service.build(WORLD.log, WORLD.catalogue, EASE(), stores=STORES)


def test_weights_are_the_rubric_s_and_what_moved_most_moved_most(service):
    steps = Course(service, 310).to_frame()
    learnt = service.stores["rubric"].learnt(310).weights
    assert np.array_equal(steps[[*ATTRIBUTES]].to_numpy(), learnt[1:])
    for n, one in enumerate(steps.itertuples()):
        moved = dict(zip(ATTRIBUTES, learnt[n + 1] - learnt[n], strict=True))
        assert one.moved == moved[one.most]
        assert abs(one.moved) == pytest.approx(max(map(abs, moved.values())))
    bought = WORLD.log.rows_of(310).query("action == 'purchase'")
    assert steps["interaction"].tolist() == bought["interaction"].tolist()
    assert steps["when"].tolist() == bought["timestamp"].tolist()


@pytest.mark.parametrize("user", [72, 310])
def test_notes_are_those_of_a_memory_built_from_what_had_happened_by_then(service, user):
    log = WORLD.log
    rows, old = log.rows_of(user), []
    found = 0
    for one in Course(service, user).to_frame().itertuples():
        row = rows[rows["interaction"] == one.interaction].iloc[0]
        begin = rows.loc[rows["session"] == row["session"], "position"].min()
        # two memories that were never told what came later
        until = [
            Experience.build(
                log.only(rows.loc[rows["position"] < end, "interaction"]), WORLD.catalogue
            )
            for end in (begin, row["position"] + 1)
        ]
        visit = rows["position"].between(begin, row["position"]) & (
            rows["session"] == row["session"]
        )
        intent = until[1].situation(rows.loc[visit, "item"])
        best = until[0].retrieve(user, intent, 1)
        if best and best[0][1] >= 0.2:
            assert (one.found, one.like) == (best[0][0].text, pytest.approx(best[0][1]))
            found += 1
        else:
            assert one.found == "" and np.isnan(one.like)
        new = [entry.text for entry in until[1].entries(user)]
        assert one.written == tuple(text for text in new if text not in old)
        assert one.notes == len(new)
        old = new
    assert found


def test_the_static_form_says_every_step_without_its_picture(service):
    view = show(Course(service, 310, source="data: a world"))
    page = Page(view.static)
    assert set(page.tags) <= {*TAGS, "img"} and page.tags.count("img") == 1
    (picture,) = [value for name, value in page.attributes if name == "src"]
    assert picture.startswith("data:image/png;base64,") and len(view.static) < 150_000
    steps = Course(service, 310).to_frame()
    for one in steps.itertuples():
        assert one.product in page.text and f"{one.most} {one.moved:+.2f}" in page.text
        assert one.found[:100] in page.text and (
            not one.written or one.written[0][:90] in page.text
        )
    assert (
        page.text.endswith("data: a world")
        and view.static == show(Course(service, 310, source="data: a world")).static
    )
    assert repr(view) == f"Course(shopper 310: {len(steps)} steps, {steps['notes'].iloc[-1]} notes)"


def test_the_figure_is_read_from_far_away_and_without_colours(service):
    drawn = Course(service, "shopper 310").figure()
    top, below = drawn.axes
    marks = {line.get_marker() for line in top.lines[:4]}
    assert len(marks) == 4 and len({line.get_color() for line in top.lines[:4]}) == 4
    letters = [text.get_fontsize() for axis in drawn.axes for text in axis.get_xticklabels()]
    letters += [text.get_fontsize() for text in top.get_legend().get_texts()]
    assert min(letters) >= 15 and below.get_xlabel()
    assert [len(line.get_ydata()) for line in top.lines[:4]] == [7] * 4


def test_a_step_undone_and_a_press_are_told(service):
    rubric = service.stores["rubric"]
    step = rubric.steps[310][2].interaction
    undone = replace(service, stores=service.stores | {"rubric": rubric.undo(step)})
    steps = Course(undone, 310).to_frame()
    assert steps["undone"].tolist() == [one == step for one in steps["interaction"]]
    assert steps["moved"][2] == 0 and "undone" in Page(Course(undone, 310)._repr_html_()).text
    pressed = press(service, 310, "budget", 197)
    last = Course(pressed, 310).to_frame().iloc[-1]
    assert last["interaction"] == pressed.log.last_id and last["most"] == "price"
    assert last["moved"] == pytest.approx(0.25) and "cheaper" in last["written"][-1]


def test_what_was_forgotten_is_no_step_any_more(service):
    steps = Course(service, 310).to_frame()
    gone = steps["interaction"].tolist()[:2]
    left = service.remove(gone, Switches())
    never = Service.build(left.log, WORLD.catalogue, EASE(), stores=STORES)
    assert Course(left, 310)._repr_html_() == Course(never, 310)._repr_html_()
    # a memory that was made to forget while the rubric was not
    half = service.remove(gone, Switches(rubric=False))
    told = Course(half, 310).to_frame()
    assert told["interaction"].tolist() == steps["interaction"].tolist()
    assert told["found"].tolist()[:2] == ["", ""] and told["written"].tolist()[:2] == [(), ()]
    assert Course(half, 310)._repr_html_()


def test_what_is_left_unsaid_has_its_line_and_not_its_words(service):
    topic = "Horror novels"
    rules = {"stores": STORES, "unsaid": [topic]}
    view = Course(Service.build(WORLD.log, WORLD.catalogue, EASE(), **rules), 310)
    steps, whole = view.to_frame(), Course(service, 310).to_frame()
    of_it = WORLD.catalogue.frame["title"][WORLD.catalogue.items_of(topic)]
    told = [*whole["product"], *whole["found"], *whole["written"].explode().dropna()]
    assert sum(any(title in one for title in of_it) for one in told) > 3
    text = Page(view._repr_html_()).text
    assert "left unsaid" in text and not any(title[:40] in text for title in of_it)
    assert steps["notes"].tolist() == whole["notes"].tolist()
    assert steps["moved"].tolist() == whole["moved"].tolist()


def test_a_shopper_without_a_purchase(service):
    log, catalogue = shop(1, kinds=True)
    view = Course(Service.build(log, catalogue, EASE(), stores=STORES), 11)
    assert len(view.to_frame()) == 0 and "Nothing was bought" in view._repr_html_()
    assert repr(view) == "Course(u11: 0 steps, 0 notes)" and view.figure()


def test_a_hostile_shop_is_text(service):
    world = hostile(service)
    frame = world.catalogue.frame.assign(title=[f"{IMG} $x_{{$ {i}" for i in range(240)])
    catalogue = replace(world.catalogue, frame=frame)
    page = Page(
        Course(
            Service.build(WORLD.log, catalogue, EASE(), stores=STORES), 310, SCRIPT
        )._repr_html_()
    )
    assert page.tags.count("img") == 1 and "script" not in page.tags
    assert IMG in page.text and "⟨U+2028⟩" in page.text


def test_what_there_is_not_is_refused(service):
    with pytest.raises(UnknownUser):
        Course(service, 4000)
    for stores in ((EntityStore,), (EntityStore, Rubric), (EntityStore, Experience)):
        with pytest.raises(ModelError, match="both memories"):
            Course(Service.build(WORLD.log, WORLD.catalogue, EASE(), stores=stores), 310)
