"""Templates of strangers: what they may build is bounded, and whatever they raise names them."""

import pytest

from tests.families import CHATML, bpe
from workbench.errors import ConfigError
from workbench.language.templates import chat_text, filled

TALK = [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}]
GREEDY = [
    "{{ 'x' * 10000000000 }}",
    "{{ 10000000000 * ['x'] }}",
    "{{ 'x' * 10 ** 10 }}",
    "{{ 'x' * 9999 * 9999 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'x'.ljust(10000000000) }}",
    "{{ 'x'.ljust('99999999999' | int) }}",
    "{{ 'x' | center(10000000000) }}",
    "{{ 'a\n' * 9999 | indent(9999999) }}",
    "{{ '%10000000000d' % 1 }}",
    "{{ '{:10000000000}'.format(1) }}",
    "{{ '%10000000000d' | format(1) }}",
    "{{ (['x' * 99999] * 99999) | join }}",
    "{{ ''.join(['x' * 99999] * 99999) }}",
    "{{ 'x'.replace('x', 'y' * 99999).replace('y', 'z' * 99999) }}",
    "{{ range(99999) | map('replace', '1', 'y' * 9999999) | join }}",
    "{% set s = namespace(x='x') %}{% for i in range(60) %}{% set s.x = s.x ~ s.x %}{% endfor %}",
    "{% set s = namespace(x='x') %}{% for i in range(60) %}{% set s.x = s.x + s.x %}{% endfor %}",
    "{% for i in range(99999) %}{{ 'x' * 9999 }}{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
]


@pytest.mark.parametrize("source", GREEDY)
def test_a_template_that_builds_too_much_is_refused(source):
    with pytest.raises(ConfigError, match=r"^template mine: it asks for more than 16,777,216"):
        filled(source, "template mine", {"query": "q"})
    with pytest.raises(ConfigError, match=r"^chat template of \w+: it asks for more than"):
        chat_text(bpe(source), TALK)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ 10 ** 2 * 1.5 / 0 }}", "division by zero"),
        ("{{ messages[0].content | nonexistent }}", "nonexistent"),
        ("{{ messages[0].content + 1 }}", "concatenate"),
        ("{{ messages[9].content.x }}", "no element 9"),
        ("{% for m in messages %}", "endfor"),
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ({"rag": CHATML, "tool_use": CHATML}, "multiple chat templates"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
    ],
)
def test_whatever_a_chat_template_raises_names_it(source, says):
    tokenizer = bpe(source)
    tokenizer.name_or_path = "their/model"
    with pytest.raises(ConfigError, match=f"^chat template of their/model: .*{says}"):
        chat_text(tokenizer, TALK)


@pytest.mark.parametrize("reply", [True, False])
@pytest.mark.parametrize(
    "source",
    [
        CHATML,
        {"default": CHATML, "rag": "x"},
        "{%- for m in messages %}{% if loop.first %}{% continue %}{% endif %}\n"
        "  {% generation %}{{ m | tojson }}{% endgeneration %}{{ m.content ~ 1 ~ none }}{% endfor %}"
        "{{ bos_token }}{{ tools is none }}{% set n = namespace(a=1) %}{% set n.a = n.a + 2 %}{{ n.a }}"
        "{{ messages | map(attribute='content') | join(',') }}{{ undefined }}{{ dict(a=1).a }}"
        "{{ messages[0].content.split('a')[-1].strip() }}{{ '%s' % 'x' }}{{ 'x' * 3 }}{{ 7 % 2 }}",
    ],
)
def test_a_chat_template_means_what_it_means_in_transformers(source, reply):
    tokenizer = bpe(source)
    options = {"tokenize": False, "add_generation_prompt": reply}
    assert chat_text(tokenizer, TALK, reply) == tokenizer.apply_chat_template(TALK, **options)


def test_options_reach_the_template_and_others_are_refused():
    thinks = CHATML + "{% if enable_thinking is defined and not enable_thinking %}no{% endif %}"
    assert chat_text(bpe(thinks), TALK, enable_thinking=False).endswith("assistant\nno")
    dated = "{{ strftime_now('%d %b %Y') }}" + CHATML
    assert chat_text(bpe(dated), TALK, date="2024-07-26").startswith("26 Jul 2024<")
    for source, option in ((CHATML, {"enable_thinking": False}), (CHATML, {"date": "2024-07-26"})):
        with pytest.raises(ConfigError, match=f"no option '{next(iter(option))}'"):
            chat_text(bpe(source), TALK, **option)
    with pytest.raises(ConfigError, match="isoformat"):
        chat_text(bpe(dated), TALK, date="yesterday")


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'build 20231001' }} {{ text }}",
        "{% if 1700000000 > 5 %}{{ text }}{% endif %}",
        "{{ text.replace('<start>', '&lt;start&gt;') }}",
        "{{ text | replace('<start>', '&lt;start&gt;') }}",
        "{{ '%-12s' | format(text) }}{{ '100 % of 99999999' }}",
    ],
)
def test_a_large_number_or_a_long_text_is_no_bomb(source):
    assert len(filled(source, "mine", {"text": "likes lamps " * 17_000})) > 200_000


@pytest.mark.parametrize(
    "source",
    [
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:>999999999}'.format(1) }}",
    ],
)
def test_a_width_is_bounded_wherever_it_comes_from(source):
    with pytest.raises(ConfigError, match="mine"):
        filled(source, "mine", {"text": "x"})
