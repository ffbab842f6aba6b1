"""The template environment as models expect it, and as strangers' templates must not find it."""

import itertools
import json
from datetime import datetime

import pytest
from jinja2 import Environment

from modules.errors import BadRequest
from modules.prompt.templates import sandbox
from modules.prompt.templates.render import TemplateRenderer
from tests.effort import effort_ratio

ALLOWED = "{% for i in range(99999) %}{% endfor %}done"


@pytest.fixture
def renderer() -> TemplateRenderer:
    return TemplateRenderer()


def test_blocks_leave_no_blank_lines(renderer: TemplateRenderer) -> None:
    source = "{% for turn in turns %}\n    {% if turn %}\n{{ turn }}\n    {% endif %}\n{% endfor %}\nend"
    assert renderer.render(source, {"turns": ["a", "b"]}) == "a\nb\nend"


def test_loops_can_break_and_continue(renderer: TemplateRenderer) -> None:
    source = "{% for i in range(9) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}"
    assert renderer.render(source, {}) == "023"


def test_loop_knows_its_length_and_end(renderer: TemplateRenderer) -> None:
    source = "{% for x in xs %}{{ x }}{{ '/' ~ loop.length }}{{ '' if loop.last else ', ' }}{% endfor %}"
    assert renderer.render(source, {"xs": ["a", "b"]}) == "a/2, b/2"


def test_generation_block_is_only_its_content(renderer: TemplateRenderer) -> None:
    source = "a{% generation %}{{ reply }}{% endgeneration %}b"
    assert renderer.render(source, {"reply": "!"}) == "a!b"


def test_macros_namespaces_and_calls_work(renderer: TemplateRenderer) -> None:
    source = (
        "{% macro turn(role, text='') %}<{{ role }}>{{ text }}{% endmacro %}"
        "{% macro wrap() %}[{{ caller('x') }}]{% endmacro %}"
        "{% set ns = namespace(n=0) %}{% for r in ['u', 'a'] %}{% set ns.n = ns.n + 1 %}{{ turn(r, 'hi') }}{% endfor %}"
        "{{ ns.n }}{% call(v) wrap() %}{{ v }}{% endcall %}"
    )
    assert renderer.render(source, {}) == "<u>hi<a>hi2[x]"


def test_recursive_loops_work(renderer: TemplateRenderer) -> None:
    source = "{% for x in tree recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}"
    assert renderer.render(source, {"tree": [[1, [2, [3]]]]}) == "123"


def test_json_has_no_html_escapes(renderer: TemplateRenderer) -> None:
    value = {"b": "<é> & 'quotes'", "a": [1, None, True]}
    assert renderer.render("{{ v | tojson }}", {"v": value}) == json.dumps(value, ensure_ascii=False)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("indent=4", json.dumps({"b": "é😀", "a": 1}, ensure_ascii=False, indent=4)),
        ("ensure_ascii=true", json.dumps({"b": "é😀", "a": 1})),
        ("separators=(',', ':')", json.dumps({"b": "é😀", "a": 1}, ensure_ascii=False, separators=(",", ":"))),
        ("sort_keys=true", json.dumps({"b": "é😀", "a": 1}, ensure_ascii=False, sort_keys=True)),
    ],
)
def test_json_options(renderer: TemplateRenderer, options: str, expected: str) -> None:
    assert renderer.render(f"{{{{ v | tojson({options}) }}}}", {"v": {"b": "é😀", "a": 1}}) == expected


def test_text_work_that_templates_do(renderer: TemplateRenderer) -> None:
    source = (
        "{{ ' a,b '.strip().split(',') | join('-') }} {{ 'x'.upper() ~ 1 ~ none }} {{ 'a.b' | replace('.', ';') }} "
        "{{ '%s in 2024: **%s**' % ('a', 'b') }} {{ '{} {:>3}'.format(1, 2) }} {{ [1, 'a'] }} {{ 'l1\nl2' | indent(2) }} "
        "{{ '%d!' | format(7) }} {{ dict(a=1).get('a') }} {{ names | map(attribute='n') | list | length }}"
    )
    rendered = renderer.render(source, {"names": [{"n": 1}, {"n": 2}]})
    assert rendered == "a-b X1None a;b a in 2024: **b** 1   2 [1, 'a'] l1\n  l2 7! 1 2"


def test_texts_are_replaced_and_joined_within_loops_and_blocks(renderer: TemplateRenderer) -> None:
    source = (
        "{% for x in xs %}{{ x.replace('a', '-') }}{{ '+'.join([x, x]) }}{{ x.replace('a', 'b', 1) }};{% endfor %}"
        "{% block end %}{{ 'aa'.replace('a', 'c') }}{{ '/'.join(xs) }}{% endblock %}"
    )
    assert renderer.render(source, {"xs": ["aa", "x"]}) == "--aa+aaba;xx+xx;ccaa/x"


@pytest.mark.parametrize("text", ["a", "a\n", "{\n", "\n", "", "a\n\nb\n", "a\r\nb"])
@pytest.mark.parametrize("options", ["4", "2, true", "2, true, true", "2, false, true", "'> '"])
def test_indenting_is_jinjas_own(renderer: TemplateRenderer, text: str, options: str) -> None:
    source = f"{{{{ text | indent({options}) }}}}"
    assert renderer.render(source, {"text": text}) == Environment(autoescape=False).from_string(source).render(
        text=text
    )


def test_what_llama_cpps_own_engine_has_besides(renderer: TemplateRenderer) -> None:
    source = (
        "{% set seen = [] %}{% for x in xs %}{% set _ = seen.append(x) %}{% endfor %}{{ seen.pop(0) }}{{ seen }}"
        "{{ (text | from_json).a }}{{ (xs | from_json)[0] }}{{ xs | map('upper') | tojson }}"
    )
    variables = {"xs": ["a", "b", "c"], "text": '{"a": [1]}'}
    assert renderer.render(source, variables) == 'a[\'b\', \'c\'][1]a["A", "B", "C"]'


@pytest.mark.parametrize("act", ["append(1)", "pop()"])
@pytest.mark.parametrize("target", ["messages", "messages[0].calls", "tools[0].schema.required"])
def test_what_a_template_is_given_stays_as_it_is(renderer: TemplateRenderer, target: str, act: str) -> None:
    variables = {"messages": [{"calls": ["a"]}], "tools": [{"schema": {"required": ["x"]}}]}
    with pytest.raises(BadRequest, match="changes the conversation"):
        renderer.render("{% set _ = " + target + "." + act + " %}", variables)
    assert variables == {"messages": [{"calls": ["a"]}], "tools": [{"schema": {"required": ["x"]}}]}


def test_today_can_be_written(renderer: TemplateRenderer) -> None:
    before, year, after = (
        datetime.now().astimezone().strftime("%Y"),
        renderer.render("{{ strftime_now('%Y') }}", {}),
        datetime.now().astimezone().strftime("%Y"),
    )
    assert before <= year <= after


def test_refusal_is_told_in_the_templates_words(renderer: TemplateRenderer) -> None:
    with pytest.raises(BadRequest, match=r"^Only user and assistant roles!$") as caught:
        renderer.render("{{ raise_exception('Only user and assistant roles!') }}", {})
    assert caught.value.param == "messages"


@pytest.mark.parametrize("source", ["{% for", "{{ 'a' | nofilter }}", "{% include 'x' %}", "{{ missing.attribute }}"])
def test_broken_templates_are_the_callers_to_hear_of(renderer: TemplateRenderer, source: str) -> None:
    with pytest.raises(BadRequest, match="chat template"):
        renderer.render(source, {})


def test_python_errors_do_not_quote_the_conversation(renderer: TemplateRenderer) -> None:
    with pytest.raises(BadRequest) as caught:
        renderer.render("{{ messages[0].content.format() }}", {"messages": [{"content": "{my secret}"}]})
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__']['__mro__'] }}",
        "{{ ('' | attr('__class__')).mro }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ namespace.__init__.__globals__['os'] }}",
        "{{ raise_exception.__globals__.keys() }}",
        "{{ strftime_now.__code__.co_consts }}",
        "{{ '{0.__class__.__mro__}'.format(1) }}",
        "{{ '{x.__class__.__mro__}'.format_map({'x': 1}) }}",
        "{{ messages.append(1) }}",
        "{{ messages[0].update({}) }}",
        "{{ self._TemplateReference__context.environment }}",
        "{{ lipsum.__globals__ }}",
        "{{ [''] | map(attribute='__class__.__mro__') | list | first | length }}",
        "{{ (5).to_bytes(9, 'big') }}",
        "{{ config.items() }}",
    ],
)
def test_nothing_but_text_can_be_reached(renderer: TemplateRenderer, source: str) -> None:
    with pytest.raises(BadRequest):
        renderer.render(source, {"messages": [{"role": "user"}]})


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(10**9) %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        pytest.param(
            "{% for i in range(99999) %}{% for j in range(99999) if false %}{% endfor %}{% endfor %}",
            marks=pytest.mark.extended,
        ),
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
        pytest.param(
            "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
            marks=pytest.mark.extended,
        ),
        "{{ 'a' * 10**9 }}",
        "{{ 1000000000 * 'a' }}",
        "{{ [0] * 10**9 }}",
        "{{ 99999**99999 }}",
        "{{ 'a' | center(10**9) }}",
        "{{ 'a'.ljust(10**9) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 999999999) }}",
        "{% set x = 'aa' %}" + "{% set x = x ~ x %}" * 60 + "{{ x }}",
        "{% set x = 'aa' %}" + "{% set x = x + x %}" * 60 + "{{ x }}",
        "{% set x = 'aa' %}" + "{% set x = x.replace('a', x) %}" * 60 + "{{ x }}",
        "{% set x = 'aa' %}" + "{% set x = x | replace('a', x) %}" * 60 + "{{ x }}",
        "{% set x = 'aa' %}" + "{% set x = x.join([x, x]) %}" * 60 + "{{ x }}",
        "{% set x %}aa{% endset %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60 + "{{ x }}",
        "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x }}",
        "{% set x = [1] %}" + "{% set x = [x, x] %}" * 60 + "{{ x | tojson }}",
        "{% set x = [1] %}" + "{% set x = {'a': x, 'b': x} %}" * 60 + "{{ x | trim }}",
        "{% set x = [1] %}" + "{% set x = x + x %}" * 60 + "{{ x | length }}",
        "{{ '\n' * 99999 | indent(10**6) }}" + "{{ 'x\n' * 900000 | indent(64) }}" * 9,
        "{{ '(' }}" * 300_000,
        "{% set x = [] %}{% for i in range(99999) %}{% for j in range(99) %}{% set _ = x.append(i) %}{% endfor %}{% endfor %}",
        "{% set x = [] %}{% set _ = x.append(x) %}{{ x | tojson }}",
        "{% set x = [1] %}"
        + "{% set y = [] %}{% set _ = y.append(x) %}{% set _ = y.append(x) %}{% set x = y %}" * 60
        + "{{ x }}",
    ],
)
def test_work_and_output_are_bounded(renderer: TemplateRenderer, source: str) -> None:
    def refused() -> None:
        with pytest.raises(BadRequest):
            renderer.render(source, {})

    assert effort_ratio(refused, lambda: renderer.render(ALLOWED, {}), times=1) < 40


def test_a_busy_machine_makes_no_template_dearer(renderer: TemplateRenderer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where this thread is given a thousandth of the time."""
    hours = itertools.count(step=3600)
    monkeypatch.setattr(sandbox, "monotonic", lambda: next(hours))
    assert renderer.render("{% for i in range(999) %}{% endfor %}done", {}) == "done"
    monkeypatch.setattr(sandbox, "thread_time", lambda: next(hours))
    with pytest.raises(BadRequest, match="takes too long"):
        renderer.render("{% for i in range(999) %}{% endfor %}done", {})


def test_budget_is_of_one_rendering(renderer: TemplateRenderer) -> None:
    assert [renderer.render(ALLOWED, {}) for _ in range(6)] == ["done"] * 6


def test_only_the_last_few_templates_are_kept(renderer: TemplateRenderer) -> None:
    for number in range(100):
        assert renderer.render(f"{{{{ {number} }}}}", {}) == str(number)
    assert renderer._code.cache_info().currsize <= 16
