"""Where no sentence of a writer survives, the page is the template's, of the length it may have."""

import pytest

from workbench.data import load_world
from workbench.reports import count_words, write
from workbench.views import served


class Silent:
    name = "silent"

    def sentences(self, told, seed=0):
        return '{"sentences": []}'


@pytest.mark.parametrize("user", [3, 72, 112])
def test_it_is_the_same_page(user):
    world = load_world()
    evidence = served(world.log, world.catalogue).evidence(user)
    page, own = write(evidence, writer=Silent()), write(evidence)
    assert page.text == own.text and page.sentences.equals(own.sentences)
    assert count_words(page.text) <= 120 and "no sentence survived" in page.wording.note
