"""The exported file in Chromium: it computes what Python computes, shows hostile text as text, and
stays silent."""

from __future__ import annotations

import base64
import hashlib
import json

import numpy as np
import pytest

from tests.views.states import IMG, SCRIPT, after, start
from tests.views.test_screen_state import hostile
from workbench.data import load_world
from workbench.ledger import Service
from workbench.recommend import EASE, EASEConfig
from workbench.reports import EntityStore, Evidence, write
from workbench.reports.writer import PAGED
from workbench.views import Screen, export
from workbench.views.page import document, pack, read
from workbench.views.screen.answers import answers, margin, result, topic_line

ACTION = {"interactions": [17], "switches": {"tombstone": True}, "topic": IMG}


@pytest.fixture
def silent(quiet):
    """A quiet page that also fails the test when a script complains or anything but the file is
    asked for."""
    yield quiet
    assert quiet.console == [] and all(url.startswith(("file:", "data:")) for url in quiet.requests)


def open_text(page, path, text):
    path.write_text(text, encoding="utf-8")
    page.goto(path.as_uri())


def packed(x, penalty):
    """An EASE model in the form of the file, made here with numpy alone."""
    inverse = np.linalg.inv(x.T @ x + penalty * np.eye(x.shape[1]))
    triangle = inverse[np.triu_indices(len(inverse))].astype("<f8").tobytes()
    bits = np.packbits(x.astype(bool).ravel()).tobytes()
    encode = {"P": base64.b64encode(triangle).decode(), "seen": base64.b64encode(bits).decode()}
    return inverse, {"users": x.shape[0], "items": x.shape[1], **encode}


def test_numbers_equal_a_refit_in_numpy(silent, tmp_path):
    rng = np.random.default_rng(5)
    x = (rng.random((120, 60)) < 0.15).astype(float)
    _, model = packed(x, 20.0)
    engine = read("engine.js")
    text = (
        f"<script type=module>{engine}\nwindow.engine = {{unpack, score, replace, top}};</script>"
    )
    open_text(
        silent,
        tmp_path / "numbers.html",
        "<!DOCTYPE html><meta charset=utf-8><link rel=icon href=data:,>" + text,
    )
    silent.wait_for_function("() => window.engine")
    for user, keep in [(0, 0), (3, 2), (7, 5), (119, 1)]:
        had = np.flatnonzero(x[user])
        left = had[:keep]
        changed = x.copy()
        changed[user] = 0
        changed[user, left] = 1
        inverse, _ = packed(changed, 20.0)
        weights = -inverse / np.diag(inverse)
        np.fill_diagonal(weights, 0)
        found = silent.evaluate(
            """([model, user, left]) => {
                 const { unpack, score, replace, top } = window.engine, m = unpack(model);
                 const next = { items: m.items, P: replace(m, m.rows[user], left) };
                 m.rows[user] = left;
                 const scores = m.rows.map((row) => score(next, row));
                 return m.rows.map((row, u) => [Array.from(scores[u]), top(scores[u], row, 10)]); }""",
            [model, user, left.tolist()],
        )
        wanted = changed @ weights
        assert np.abs(np.array([scores for scores, _ in found]) - wanted).max() < 1e-10
        masked = np.where(changed > 0, -np.inf, wanted)
        assert [best for _, best in found] == np.argsort(-masked, axis=1, kind="stable")[
            :, :10
        ].tolist()


def test_reports_equal_python_word_for_word(silent, tmp_path):
    world = load_world()
    model, rng = EASE(EASEConfig(l2=50)).fit(world.log), np.random.default_rng(3)
    notes = EntityStore.build(world.log, world.catalogue)
    scripts = read("text.js", "engine.js", "claims.js")
    seen = "Object.assign(window, { unpack, reading, page, ready: 1 });"
    text = f"<script type=module>{scripts}\n{seen}</script>"
    open_text(
        silent,
        tmp_path / "report.html",
        "<!DOCTYPE html><meta charset=utf-8><link rel=icon href=data:,>" + text,
    )
    silent.wait_for_function("() => window.ready")
    silent.evaluate(
        "model => { window.packed = model; window.model = unpack(model); }",
        pack(model, world.catalogue),
    )
    for user in range(0, 400, 16):
        rows = world.log.rows_of(user)
        rows = rows[rng.random(len(rows)) < 0.7] if user % 2 else rows
        log = world.log.without(
            set(world.log.rows_of(user)["interaction"]) - set(rows["interaction"])
        )
        evidence = Evidence.of(log, world.catalogue, model, user, {"profile": notes})
        report = write(evidence, ranges=False)
        lineage = notes.lineage(user).query("kind == 'topic'")[["entity", "interaction", "weight"]]
        found = silent.evaluate(
            """([rows, name, profile]) => {
                 const { catalogue } = model, { templates } = packed;
                 const r = reading({ model, rows, log: rows, hidden: [], catalogue, profile, name });
                 return page(r, templates); }""",
            [
                rows[["interaction", "item"]].to_dict("records"),
                f"user:{user}",
                lineage.to_numpy().tolist(),
            ],
        )
        claims = {claim.claim: claim for claim in report.claims}
        support = dict(list(report.support.groupby("claim")))
        portable = [claims[claim].kind not in PAGED for claim in report.single["claim"]]
        made = report.single[portable]
        assert len(found) == len(made) > 3
        for told, said in zip(found, made.itertuples(), strict=True):
            claim, carried = (
                claims[said.claim],
                support[said.claim].groupby("interaction")["weight"].sum(),
            )
            assert (told["section"], told["text"]) == (said.section, said.text)
            assert tuple(told["statement"]) == claim.statement
            assert told["value"] == pytest.approx(claim.value, abs=1e-9, nan_ok=True)
            assert summed(told["rows"]) == pytest.approx(carried.to_dict(), abs=1e-9)


def summed(rows):
    """One weight a row: a stored note may name a row once per entity."""
    weights = {}
    for interaction, weight in rows:
        weights[interaction] = weights.get(interaction, 0.0) + weight
    return weights


SAID = """const lines = (state) => ["as served before", "after", "never had"].map((name) => topicLine(name, state));
window.said = (state) => [result(state), answers(state, payload.words), margin(state, payload.words), lines(state)];"""


def said(state):
    """What the static form says in words of a state."""
    seen = {row["row"]: row for row in state["exposure"]}
    lines = [topic_line(name, state["lists"], seen, state["topic"]) for name in SHOWN]
    return [result(state), [[*one] for one in answers(state)], margin(state), lines]


SHOWN = ("as served before", "after", "never had")
REQUESTS = [
    ("Horror novels", {}),
    ("Horror novels", {"item_weights": False}),
    ("Horror novels", {"log": False}),
    ("Horror novels", {"log": False, "profile": False, "tombstone": True}),
    ("Dark stories", {"profile": False}),
]


def test_the_file_answers_as_python_does(silent, tmp_path):
    """Several deletions under several switches, asked of the button's own function and of
    `Screen.act`."""
    world = load_world()
    service = Service.build(world.log, world.catalogue, EASE())
    horror = world.log.frame[
        world.log.frame["item"].isin(world.catalogue.items_of("Horror novels"))
    ]
    users = horror.groupby("user")["item"].nunique().sort_values(kind="stable").index[[-1, 20]]
    for user in users.tolist():
        screen = Screen(service, user, "Horror novels")
        page = export(screen, tmp_path / f"{user}.html").read_text(encoding="utf-8")
        # the same script with its function within reach of the test, let in by its own hash
        script = page[page.rindex('<script type="module">') + 22 : page.rindex("</script>")]
        reachable = script.replace(
            "draw(document", f"window.compute = engine(payload); {SAID} draw(document"
        )
        opened = page.replace(script, reachable).replace(sha256(script), sha256(reachable))
        assert sha256(script) in page and sha256(reachable) in opened
        open_text(silent, tmp_path / "opened.html", opened)
        silent.wait_for_function("() => window.compute")
        at_first = {one["name"]: one["on"] for one in screen.state["switches"]}
        for topic, switches in REQUESTS:
            rows = [row for row in screen.state["history"] if topic in row["topics"]]
            action = {"interactions": [row["interaction"] for row in rows], "topic": topic}
            action["switches"] = at_first | switches
            wanted = screen.act(action)
            same(silent.evaluate("action => window.compute(action)", action), wanted)
            assert silent.evaluate("state => window.said(state)", wanted) == said(wanted)
        assert silent.evaluate("state => window.said(state)", screen.state) == said(screen.state)
        rows = [row["interaction"] for row in screen.state["history"]]
        action = {
            "interactions": rows,
            "topic": "Horror novels",
            "switches": at_first,
        }
        same(silent.evaluate("action => window.compute(action)", action), screen.act(action))
        for sentence in screen.state["sentences"][::4]:
            action = {
                "interactions": sentence["smallest"],
                "topic": "Horror novels",
                "switches": at_first,
            }
            same(silent.evaluate("action => window.compute(action)", action), screen.act(action))


def sha256(text):
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def same(found, wanted):
    """Equal states, numbers to 1e-5, the draws of the placebo among them; footers, and sentences to
    the shopper beside the claims that a file can make, are Python's alone."""
    for one, other in zip(found["null"], wanted["null"], strict=True):
        assert one["gone"] <= other["gone"]
        assert {**one, "gone": 0} == {**other, "gone": 0}
    own = [one for one in wanted["sentences"] if one["kind"] not in PAGED]
    wanted = {**wanted, "sentences": own}
    for name in ("user", "topic", "history", "switches"):
        assert found[name] == wanted[name], name
    for name, column in wanted["lists"].items():
        assert [{**one, "score": 0, "share": 0} for one in found["lists"][name] or []] == [
            {**one, "score": 0, "share": 0} for one in column or []
        ], name
        for number in ("score", "share"):
            assert [one.get(number) for one in found["lists"][name] or []] == pytest.approx(
                [one.get(number) for one in column or []], abs=1e-5
            )
    assert found["others"] == pytest.approx(wanted["others"])
    for one, other in zip(found["exposure"], wanted["exposure"], strict=True):
        assert one["row"] == other["row"] and one["n"] == other["n"]
        assert [one[name] for name in ("value", "low", "high")] == pytest.approx(
            [other[name] for name in ("value", "low", "high")]
        )
    assert len(found["sentences"]) == len(wanted["sentences"])
    for one, other in zip(found["sentences"], wanted["sentences"], strict=True):
        for name in ("kind", "section", "text", "after", "told", "fate", "cause", "smallest"):
            assert one[name] == other[name], (name, one["text"])
        assert dict(map(tuple, one["rows"])) == pytest.approx(
            dict(map(tuple, other["rows"])), abs=1e-5
        )


@pytest.mark.parametrize("state", [start(), after(ACTION)], ids=["start", "after"])
def test_hostile_text_is_text(silent, tmp_path, state):
    open_text(silent, tmp_path / "hostile.html", document(state, footer=f"{IMG} {SCRIPT}"))
    silent.wait_for_selector(".wbs-columns")
    assert silent.locator("img, #screen script").count() == 0
    text = silent.locator("body").inner_text()
    assert IMG in text and "</script><script>alert(2)</script><!-- ⟨U+2028⟩" in text
    assert (
        silent.evaluate("() => document.getElementById('payload').textContent.includes('<')")
        is False
    )
    assert json.loads(silent.locator("#payload").text_content())["state"] == state


@pytest.mark.parametrize("page", ["light", "dark"], indirect=True)
def test_the_mailed_file_forgets_at_a_press(silent, tmp_path):
    """As its reader opens it: a hostile shop, the policy in force, nothing but the file asked
    for."""
    world = load_world()
    screen = Screen(hostile(Service.build(world.log, world.catalogue, EASE())), 310, IMG)
    silent.goto(export(screen, tmp_path / "mailed.html").as_uri())
    silent.wait_for_selector(".wbs-columns")
    # armed with its topic: a press tells something, though the page is not written anew
    assert silent.locator(".wbs-chip[aria-pressed=true]").count() == 1
    assert silent.locator("[data-key=forget]").inner_text() == "Forget 30 things"
    # single claims are folded until the first press
    silent.locator("[data-key=margin]").click()
    sentence = silent.locator("[data-claim]", has_text="Dark stories").first
    sentence.click()
    assert silent.locator(".wbs-lit").count() > 0
    assert (
        silent.locator("[data-key=forget]").inner_text()
        == f"Forget {len(screen.smallest_set('Dark stories'))} things"
    )
    assert "The page as written on" in silent.locator(".wbs-report").inner_text()
    silent.locator(".wbs-chip", has_text=IMG).click()
    silent.locator("[data-key=forget]").click()
    silent.locator(".wbs-removed").first.wait_for()
    told = silent.locator(".wbs-answers").inner_text()
    assert (
        "30 of 91 things" in told and IMG in told and "other shoppers get another top ten" in told
    )
    assert (
        silent.locator("[data-fate=back]").count() >= 1
        and silent.locator("[data-fate=gone] s").count() >= 1
    )
    # why there are single sentences now, and no page
    report = silent.locator(".wbs-report")
    assert "It cannot write the page again" in report.locator("h3 + small").inner_text()
    # the page stays as it was written, folded: what rests on a deleted row is marked
    silent.locator("summary", has_text="The page as written on").click()
    assert "rests on what you deleted" in silent.locator("[data-fate=old]").first.inner_text()
    assert silent.locator(".wbs-table").count() == 1
    # what stays tells both its numbers
    back = silent.locator("[data-fate=back]").first.inner_text()
    assert "35% → 40%" in back and "is Dark stories. ↩" in back
    other = silent.locator("[data-fate=changed]").first.inner_text()
    assert "25% → 30% of your list is Board games. ≈\u00a0still there, other number" in other
    assert silent.locator("img").count() == 0
    silent.locator("[data-key=again]").click()
    silent.locator(".wbs-removed").first.wait_for(state="detached")


def test_without_scripts_the_static_form_stands(browser, tmp_path):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    open_text(page, tmp_path / "plain.html", document(after(ACTION)))
    assert "came back" in page.locator("#screen").inner_text()
    context.close()
