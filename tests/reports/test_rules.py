"""The table of kinds: that everything which reads it knows the same kinds."""

import re
from importlib.resources import files

from workbench.reports.rules import KINDS
from workbench.reports.sentences import templates


def test_every_kind_has_its_sentences_and_a_section():
    kinds = {name.split()[0] for name in KINDS}
    words = templates()
    apart = {"sections", "section_of", "table", "page", "buttons"}
    assert set(words) - apart == kinds
    assert set(words["section_of"].values()) <= set(words["sections"])
    for name in words["section_of"]:
        kind, _, form = name.partition(" ")
        assert kind in kinds
        assert not form or form in words[kind]
    assert kinds <= set(words["section_of"])


def test_what_is_portable_is_what_the_mailed_file_knows():
    engine = files("workbench.views").joinpath("static/claims.js").read_text(encoding="utf-8")
    rules = engine.split("const rules = {")[1].split("\n};")[0]
    known = set(re.findall(r"^  (\w+)\(r, ", rules, flags=re.MULTILINE))
    assert known == {name.split()[0] for name, rule in KINDS.items() if rule.portable}
    assert not KINDS["by_deletion"].portable
