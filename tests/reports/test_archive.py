"""The archive of pages: what is kept, what is struck, what has changed, and files from anywhere."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reports.shops import shop
from workbench.errors import ConfigError, DataError, TooLarge, UnknownUser
from workbench.ledger import Service, purge
from workbench.recommend import EASE
from workbench.reports import EntityStore, Evidence, Store, check, write
from workbench.reports.recpilot import Archive, _changed, _page_file, using
from workbench.reports.sentences import plain

DAYS = ("2026-01-05", "2026-02-03")


def built(seed=3, users=4):
    """A service and an archive with two pages of each of its first shoppers."""
    log, catalogue = shop(seed, n_users=6, n_rows=80, kinds=True)
    service = Service.build(log, catalogue, EASE(), stores=(EntityStore,))
    archive = Archive.build(log, catalogue)
    half = log.select((log.frame["position"] < 50).to_numpy())
    early = Service.build(half, catalogue, EASE(), stores=(EntityStore,))
    for user in range(users):
        for made, shown in zip(DAYS, (early, service), strict=True):
            archive = archive.add(shown.report(user), made)
    return service, archive


@pytest.fixture(scope="module")
def shown():
    return built()


def fields(claims):
    """Claims as text: NaN equals NaN."""
    return [str(claim.to_dict()) for claim in claims]


def test_a_page_is_kept_with_its_claims_rows_and_sentences(shown):
    service, archive = shown
    report = service.report(0)
    page = archive.pages(0)[-1]
    assert isinstance(archive, Store)
    assert page.report == report.report
    assert fields(page.claims) == fields(report.claims)
    spans = report.sentences[["start", "end"]].itertuples(index=False)
    assert [text for _, text in page.lines] == [plain(report.text[a:b]) for a, b in spans]
    assert check(page.claims, service.evidence(0), page.support)["ok"].all()
    assert archive.knows(0, [*report.support["interaction"]]).tolist() == sorted(
        set(report.support["interaction"])
    )
    assert set(archive.lineage(0)["kind"]) == {"page"}
    assert [page.made.day for page in archive.pages(0)] == [5, 3]
    # the same page twice is one
    assert len(archive.add(report, DAYS[1]).pages(0)) == 2
    assert archive.pages(5) == []
    assert not len(archive.lineage(5))


def test_nothing_is_kept_of_a_page_without_claims():
    log, catalogue = shop(3, n_users=6)
    service = Service.build(log, catalogue, EASE())
    empty = Archive.build(log, catalogue).add(service.report(5), DAYS[0])
    assert empty.pages(5) == []
    assert repr(empty) == "Archive(0 pages, 0 claims)"
    assert not len(empty.says(service.evidence(5)))
    assert not len(empty.forget([1, 2]).table)


# --- forgetting ---


def expected(archive, ids):
    """What should be left, by hand: {(user, day): (claims, sentences)}."""
    left = {}
    for user in range(6):
        for page in archive.pages(user):
            rests = page.support.groupby("claim")["interaction"].agg(set)
            bad = {claim.claim for claim in page.claims if rests[claim.claim] & ids}
            rows = archive.table[archive.table["report"] == page.report]
            said = {}
            for row in rows.itertuples():
                if row.place >= 0:
                    said.setdefault(row.place, (row.text, []))[1].append(row.claim)
            texts = [said[at][0] for at in sorted(said) if not bad & {*said[at][1]}]
            claims = [claim for claim in page.claims if claim.claim not in bad]
            if texts:
                left[user, page.made] = (fields(claims), texts)
    return left


def held(archive):
    return {
        (user, page.made): (fields(page.claims), [text for _, text in page.lines])
        for user in range(6)
        for page in archive.pages(user)
    }


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 12), st.booleans())
def test_every_claim_on_a_forgotten_row_is_struck_and_nothing_else(shown, seed, n, told):
    service, archive = shown
    ids = service.log.frame["interaction"].sample(n, random_state=seed)
    users = service.log.only(ids).frame["user"].unique() if told else None
    after = archive.forget(ids, users)
    assert held(after) == expected(archive, {*ids})
    for user in range(6):
        assert not len(after.knows(user, ids))
    # one after another, in the other order, is the same
    twice = archive
    for row in reversed([*ids]):
        twice = twice.forget([row])
    pd.testing.assert_frame_equal(after.table, twice.table)


def test_a_sentence_of_several_claims_goes_with_any_of_them(shown):
    service, _ = shown
    report = service.report(1)
    first = report.sentences.iloc[0]
    rests = report.support.groupby("claim")["interaction"].agg(set)
    # a claim that rests on fewer rows is said in the first sentence, too
    one, other = sorted(rests.index, key=lambda claim: len(rests[claim]))[:2]
    spans = report.sentences.iloc[[0]].assign(claims=[(one, other)])
    archive = Archive.build(service.log, service.catalogue)
    archive = archive.add(replace(report, sentences=spans), DAYS[0])
    only = rests[other] - rests[one] or rests[one]
    assert archive.pages(1)[0].lines[0][1] == report.text[first.start : first.end]
    assert archive.forget([min(only)]).pages(1) == []


def test_what_is_left_has_another_name_and_untouched_pages_are_the_same(shown):
    _, archive = shown
    page = archive.pages(0)[-1]
    rows = page.support.groupby("interaction")["claim"].nunique()
    after = archive.forget([rows.idxmin()])
    assert page.report not in set(after.table["report"])
    assert len(after.pages(0)[-1].claims) < len(page.claims)
    assert archive.pages(1)[0].report == after.pages(1)[0].report
    assert archive.forget([10**9]) is archive
    assert archive.forget([rows.index[0]], users=[4]) is archive


# --- what changed ---


def test_what_held_then_and_does_not_now_is_said_with_the_rows_that_had_carried_it(shown):
    service, archive = shown
    seen = 0
    for user in range(4):
        early = Archive.build(service.log, service.catalogue)
        last = archive.pages(user)[0]
        early = replace(early, table=archive.table[archive.table["report"] == last.report])
        said = early.says(service.evidence(user))
        assert list(said) == ["kind", "relation", "object", "value", "interaction", "weight"]
        was = {c.relation: c for c in last.claims if c.kind == "pick"}
        now = {c.relation: c for c in service.report(user).claims if c.kind == "pick"}
        gone = "pick" not in now or was["pick"].object != now["pick"].object
        texts = said["object"].drop_duplicates().tolist()
        assert (
            any(text.startswith("On 5 January 2026 our pick was “Thing") for text in texts) == gone
        )
        assert len(texts) <= 2
        if gone:
            own = last.support[last.support["claim"] == was["pick"].claim]
            first = said[said["object"] == texts[0]]
            assert first["interaction"].tolist() == own["interaction"].tolist()
            seen += 1
        table = early.since(service.report(user))
        assert set(table["claim"]) >= {claim.claim for claim in last.claims}
    assert seen
    # the last page is of today: nothing changed
    assert not len(archive.says(service.evidence(0)))


def test_nothing_is_said_of_what_is_left_unsaid_or_without_a_model(shown):
    service, archive = shown
    pages = archive.table[archive.table["made"] == pd.Timestamp(DAYS[0], tz="UTC")]
    early = replace(archive, table=pages)
    evidence = next(
        service.evidence(user) for user in range(4) if len(early.says(service.evidence(user)))
    )
    topics = frozenset(service.catalogue.topics["topic"])
    assert not len(early.says(replace(evidence, unsaid=topics)))
    assert not len(early.says(replace(evidence, model=None)))


def test_a_claim_of_a_kind_that_nobody_knows_has_not_ended(shown, monkeypatch):
    service, archive = shown
    monkeypatch.setitem(_changed.SAID, "dream of", "you dreamt of {object}")
    table = archive.table.assign(kind="dream", relation="of", object="tea")
    assert not len(replace(archive, table=table).says(service.evidence(0)))


# --- files ---


def saved(archive, folder, **changed):
    """A file of the archive with some columns changed, its schema as it was."""
    path = folder / "pages.parquet"
    archive.save(path)
    table = pq.read_table(path)
    for name, change in changed.items():
        at = table.column_names.index(name)
        values = change(table[name].to_pylist())
        table = table.set_column(at, table.schema.field(at), pa.array(values, table[name].type))
    pq.write_table(table, path)
    return path


def test_a_file_gives_back_the_same_archive(shown, tmp_path):
    service, archive = shown
    path = saved(archive, tmp_path)
    again = Archive.load(path, service.log)
    assert held(again) == held(archive)
    for user in range(6):
        pd.testing.assert_frame_equal(again.lineage(user), archive.lineage(user))
    kind = using(Archive, path=path)
    whole = Service.build(service.log, service.catalogue, EASE(), stores=(EntityStore, kind))
    assert held(whole.stores["archive"]) == held(archive)
    # it replaces itself and nothing else, and is never half written
    again.save(path)
    note = tmp_path / "note.txt"
    note.write_text("mine")
    with pytest.raises(DataError, match="not written here"):
        archive.save(note)
    assert note.read_text() == "mine"
    assert {one.name for one in tmp_path.iterdir()} == {"pages.parquet", "note.txt"}


def test_an_empty_archive_has_a_file_too(tmp_path):
    log, catalogue = shop(3, n_users=6)
    Archive.build(log, catalogue).save(tmp_path / "pages.parquet")
    assert held(Archive.load(tmp_path / "pages.parquet", log)) == {}


def test_what_the_log_has_no_more_is_struck_when_a_file_is_read(shown, tmp_path):
    service, archive = shown
    ids = archive.lineage(0)["interaction"].to_numpy()[:2]
    again = Archive.load(saved(archive, tmp_path), service.log.without(ids))
    assert held(again) == held(archive.forget(ids))


class Boom:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_a_file_that_is_no_archive_is_refused(shown, tmp_path):
    service, archive = shown
    path = saved(archive, tmp_path)
    whole = path.read_bytes()
    other = tmp_path / "other.parquet"
    pd.DataFrame({"user": ["u1"], "text": ["hello"]}).to_parquet(other)
    for content in (b"", b"hello", whole[:-20], whole[:200], pickle.dumps(Boom())):
        path.write_bytes(content)
        with pytest.raises(DataError, match="no archive of pages"):
            Archive.load(path, service.log)
    for place, said in (
        (tmp_path, "no such file"),
        (tmp_path / "none", "no such file"),
        (other, "no archive"),
    ):
        with pytest.raises(DataError, match=said):
            Archive.load(place, service.log)
    # damaged inside
    path.write_bytes(whole[:40] + bytes(60) + whole[100:])
    with pytest.raises(DataError, match=r"cannot be read|wrote"):
        Archive.load(path, service.log)


def test_the_archive_of_another_log_is_refused(shown, tmp_path):
    _, archive = shown
    path = saved(archive, tmp_path)
    for seed, users in ((3, 7), (4, 12)):
        log, _ = shop(seed, n_users=users)
        with pytest.raises(DataError, match="another log"):
            Archive.load(path, log)
    # the same people and products, other rows: an id is somebody else's
    log, _ = shop(8, n_users=6, n_rows=80, kinds=True)
    with pytest.raises(DataError, match="another shopper's rows"):
        Archive.load(path, log)


def first(value):
    """Changes the first line of a column."""
    return lambda values: [value, *values[1:]]


@pytest.mark.parametrize(
    ("column", "change", "said"),
    [
        ("user", first("u99"), "a user that the log does not have"),
        ("user", first("u4"), "two shoppers"),
        ("made", first(pd.Timestamp("2020-01-01", tz="UTC")), "two days"),
        ("claim", first("0" * 12), "not what it is called"),
        ("object", first("item:999"), "not what it is called"),
        ("weights", first([]), "carried by no rows"),
        ("weights", lambda values: [[w * 2 for w in one] for one in values], "sum to 1"),
        ("weights", lambda values: [[np.nan for _ in one] for one in values], "carried by no rows"),
        ("interactions", first([]), "carried by no rows"),
        ("interactions", lambda values: [one[:1] * len(one) for one in values], "carried by"),
        ("place", first(-7), "without a place"),
        ("place", lambda values: [-1 for _ in values], "place without one"),
        ("text", first("x" * 5_000), "more than 4,000 letters"),
        ("text", first(None), "a gap in text"),
        ("report", lambda values: [values[0] for _ in values], "two shoppers"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_file_that_this_archive_would_not_have_written_is_refused(
    shown, tmp_path, column, change, said
):
    service, archive = shown
    with pytest.raises(DataError, match=said):
        Archive.load(saved(archive, tmp_path, **{column: change}), service.log)


def test_other_columns_and_types_and_sizes_are_refused(shown, tmp_path, monkeypatch):
    service, archive = shown
    path = saved(archive, tmp_path)
    table = pq.read_table(path)
    pq.write_table(table.drop_columns("text"), path)
    with pytest.raises(DataError, match="other columns"):
        Archive.load(path, service.log)
    at = table.column_names.index("value")
    words = pa.array(["1"] * len(table))
    pq.write_table(table.set_column(at, "value", words), path)
    with pytest.raises(DataError, match="value is string"):
        Archive.load(path, service.log)
    monkeypatch.setattr(_page_file, "ROWS", 10)
    with pytest.raises(TooLarge, match="at most 10"):
        Archive.load(saved(archive, tmp_path), service.log)


def test_a_purge_reaches_its_file_to_the_byte(shown, tmp_path):
    service, archive = shown
    path = saved(archive, tmp_path)
    assert b"u2" in path.read_bytes()
    told = purge("u2", tmp_path)
    assert told["removed"].sum() == (archive.table["user"] == 2).sum()
    assert told["note"].iloc[-1].startswith("clean")
    assert b"u2" not in path.read_bytes()
    again = Archive.load(path, service.log)
    assert again.pages(2) == []
    assert len(again.pages(1)) == 2


# --- what is handed in ---


def test_what_is_no_report_and_no_day_is_refused(shown):
    service, archive = shown
    with pytest.raises(ConfigError):
        archive.add("a page", DAYS[0])
    for made in ("yesterday", None, ["2026-01-01"]):
        with pytest.raises(DataError, match="no moment"):
            archive.add(service.report(0), made)
    with pytest.raises(DataError, match="no user 99"):
        archive.add(replace(service.report(0), user=99), DAYS[0])
    with pytest.raises(UnknownUser):
        archive.says(Evidence.of(service.log, service.catalogue, EASE(), 99))


def test_hostile_words_are_data(shown):
    service, _ = shown
    goods = service.catalogue
    title = "<script>alert(1)</script>|\u202ex\n## Heading"
    hostile = replace(goods, frame=goods.frame.assign(title=title))
    evidence = replace(service.evidence(0), catalogue=hostile)
    archive = Archive.build(service.log, hostile).add(write(evidence), DAYS[0])
    page = archive.pages(0)[0]
    assert "<script>" not in page._repr_html_()
    assert "\u202e" not in page._repr_html_()
    assert sum(line.startswith("## ") for line in page.text.splitlines()) == len(
        dict.fromkeys(heading for heading, _ in page.lines)
    )
    moved = replace(evidence, chosen={"pick": 1, "cheaper": 2}, mask_seen=False)
    for text in archive.says(moved)["object"]:
        assert "\u202e" not in text
        assert "\n" not in text
