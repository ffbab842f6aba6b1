"""What each format's constraint lets a model say: calls that its own parser reads, with arguments as the schema says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from llguidance import LLMatcher, LLTokenizer

from modules.engine.constraints.lark import strict_lark
from modules.engine.types import Constraint
from modules.messages import ToolSpec
from modules.reply.tool_format import ToolFormat
from tests.reply.formats.golden import FORMATS, joined, pieces_of
from tests.reply.formats.offered_tools import GET_TIME, GET_WEATHER, TOOLS

ROME = {"call": "get_weather", "arguments": {"city": 'Rome "(<', "days": 3}}
TIME = {"call": "get_time", "arguments": {}}

# For each format: ROME, TIME, and both in one reply.
CALLS = {
    "json": (
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome \\"(<", "days": 3}}\n</tool_call>',
        '{"name": "get_time", "parameters": {}}',
        '<tool_call>\n{"name": "get_weather", "arguments": {"city":"Rome \\"(<","days":3}}\n</tool_call>\n'
        '<tool_call>\n{"name": "get_time", "arguments": {}}\n</tool_call>',
    ),
    "kimi": (
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
        '{"city":"Rome \\"(<","days":3}<|tool_call_end|><|tool_calls_section_end|>',
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_time:12<|tool_call_argument_begin|>"
        "{}<|tool_call_end|><|tool_calls_section_end|>",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
        '{"city":"Rome \\"(<","days":3}<|tool_call_end|>'
        "<|tool_call_begin|>functions.get_time:1<|tool_call_argument_begin|>"
        "{}<|tool_call_end|><|tool_calls_section_end|>",
    ),
    "deepseek": (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"
        '{"city":"Rome \\"(<","days":3}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_time\n```json\n"
        "{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"
        '{"city":"Rome \\"(<","days":3}<｜tool▁call▁end｜>\n'
        "<｜tool▁call▁begin｜>get_time<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    ),
    "gpt-oss": (
        '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city":"Rome \\"(<","days":3}',
        "<|start|>assistant<|channel|>commentary to=functions.get_time <|constrain|>json<|message|>{}",
        None,
    ),
    "gemma": (
        '<|tool_call>call:get_weather{city:<|"|>Rome "(<<|"|>,days:3}<tool_call|>',
        "<|tool_call>call:get_time{}<tool_call|>",
        '<|tool_call>call:get_weather{city:<|"|>Rome "(<<|"|>,days:3}<tool_call|>'
        "<|tool_call>call:get_time{}<tool_call|>",
    ),
    "minimax": (
        '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Rome "(<</parameter>\n'
        '<parameter name="days">3</parameter>\n</invoke>\n</minimax:tool_call>',
        '<minimax:tool_call>\n<invoke name="get_time">\n</invoke>\n</minimax:tool_call>',
        '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Rome "(<</parameter>\n'
        '<parameter name="days">3</parameter>\n</invoke>\n<invoke name="get_time">\n</invoke>\n</minimax:tool_call>',
    ),
    "glm": (
        '<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Rome "(<</arg_value>\n'
        "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
        "<tool_call>get_time\n</tool_call>",
        '<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Rome "(<</arg_value>\n'
        "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n<tool_call>get_time\n</tool_call>",
    ),
    "xml-parameters": (
        '<tool_call>\n<function=get_weather>\n<parameter=city>\nRome "(<\n</parameter>\n'
        "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>",
        "<tool_call>\n<function=get_time>\n</function>\n</tool_call>",
        '<tool_call>\n<function=get_weather>\n<parameter=city>\nRome "(<\n</parameter>\n'
        "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>\n"
        "<tool_call>\n<function=get_time>\n</function>\n</tool_call>",
    ),
    "mistral": (
        '[TOOL_CALLS]get_weather[ARGS]{"city": "Rome \\"(<", "days": 3}',
        '[TOOL_CALLS][{"name": "get_time", "arguments": {}}]',
        '[TOOL_CALLS]get_weather[ARGS]{"city": "Rome \\"(<", "days": 3}[TOOL_CALLS]get_time[ARGS]{}',
    ),
    "bare-name": (
        'get_weather\n{"city": "Rome \\"(<", "days": 3}',
        "get_time{}",
        'get_weather{"city": "Rome \\"(<", "days": 3}\n>>>get_time{}',
    ),
    "dsml": (
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">Rome "(<</｜DSML｜parameter>\n<｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_time">\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
        '<｜DSML｜function_calls>\n<｜DSML｜invoke name="get_weather">\n<｜DSML｜parameter name="city" string="true">Rome "(<</｜DSML｜parameter>\n<｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name="get_time">\n</｜DSML｜invoke>\n</｜DSML｜function_calls>',
    ),
    "kimi-k3": (
        '<|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|><|open|>argument key="city" type="string"<|sep|>Rome "(<<|close|>argument<|sep|><|open|>argument key="days" type="number"<|sep|>3<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|>',
        '<|open|>tools<|sep|><|open|>call tool="get_time" index="1"<|sep|><|close|>call<|sep|><|close|>tools<|sep|>',
        '<|open|>tools<|sep|><|open|>call tool="get_weather" index="1"<|sep|><|open|>argument key="city" type="string"<|sep|>Rome "(<<|close|>argument<|sep|><|open|>argument key="days" type="number"<|sep|>3<|close|>argument<|sep|><|close|>call<|sep|><|open|>call tool="get_time" index="2"<|sep|><|close|>call<|sep|><|close|>tools<|sep|>',
    ),
    "muse": (
        ' to=get_weather<|message|><atem:function_calls>\n<atem:invoke name="get_weather">\n<atem:parameter name="city">Rome "(<</atem:parameter>\n<atem:parameter name="days">3</atem:parameter>\n</atem:invoke>\n</atem:function_calls>',
        ' to=get_time<|message|><atem:function_calls>\n<atem:invoke name="get_time">\n</atem:invoke>\n</atem:function_calls>',
        ' to=get_weather<|message|><atem:function_calls>\n<atem:invoke name="get_weather">\n<atem:parameter name="city">Rome "(<</atem:parameter>\n<atem:parameter name="days">3</atem:parameter>\n</atem:invoke>\n</atem:function_calls><|eom|><|start|>assistant to=get_time<|message|><atem:function_calls>\n<atem:invoke name="get_time">\n</atem:invoke>\n</atem:function_calls>',
    ),
    "minimax-m3": (
        ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="get_weather">]<]minimax[>[<city>Rome "(<]<]minimax[>[</city>]<]minimax[>[<days>3]<]minimax[>[</days>]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>',
        ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="get_time">]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>',
        ']<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name="get_weather">]<]minimax[>[<city>Rome "(<]<]minimax[>[</city>]<]minimax[>[<days>3]<]minimax[>[</days>]<]minimax[>[</invoke>\n]<]minimax[>[<invoke name="get_time">]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>',
    ),
    "minicpm": (
        '<function name="get_weather"><param name="city">Rome "(<</param><param name="days">3</param></function>',
        '<function name="get_time"></function>',
        '<function name="get_weather"><param name="city">Rome "(<</param><param name="days">3</param></function>\n<function name="get_time"></function>',
    ),
    "solar": (
        '<|tool_calls|><|tool_call:begin|>a1<|tool_call:name|>get_weather<|tool_call:args|>{"city":"Rome \\"(<","days":3}<|tool_call:end|><|calls|>',
        "<|begin|>assistant<|tool_calls|><|tool_call:begin|>a1<|tool_call:name|>get_time<|tool_call:args|>{}<|tool_call:end|><|calls|>",
        '<|tool_calls|><|tool_call:begin|>a1<|tool_call:name|>get_weather<|tool_call:args|>{"city":"Rome \\"(<","days":3}<|tool_call:end|><|tool_call:begin|>a2<|tool_call:name|>get_time<|tool_call:args|>{}<|tool_call:end|><|calls|>',
    ),
    "apertus": (
        '<|tools_prefix|>[{"get_weather": {"city":"Rome \\"(<","days":3}}]<|tools_suffix|>',
        '<|tools_prefix|>[{"get_time": {}}]<|tools_suffix|>',
        '<|tools_prefix|>[{"get_weather": {"city":"Rome \\"(<","days":3}}, {"get_time": {}}]<|tools_suffix|>',
    ),
    "command": (
        '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city":"Rome \\"(<","days":3}}\n]<|END_ACTION|>',
        '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "get_time", "parameters": {}}\n]<|END_ACTION|>',
        '<|START_ACTION|>[\n    {"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city":"Rome \\"(<","days":3}},\n    {"tool_call_id": "1", "tool_name": "get_time", "parameters": {}}\n]<|END_ACTION|>',
    ),
    "command-r": (
        'Action:\n```json\n[\n{"tool_name": "get_weather", "parameters": {"city":"Rome \\"(<","days":3}}\n]```',
        'Action:\n```json\n[\n{"tool_name": "get_time", "parameters": {}}\n]```',
        'Action:\n```json\n[\n{"tool_name": "get_weather", "parameters": {"city":"Rome \\"(<","days":3}},\n{"tool_name": "get_time", "parameters": {}}\n]```',
    ),
    "gigachat": (
        '<|function_call|>{"name": "get_weather", "arguments": {"city":"Rome \\"(<","days":3}}',
        '<|function_call|>{"name": "get_time", "arguments": {}}',
        None,
    ),
    "gigachat-3.0": (
        '<|message_sep|>\n\nfunction call<|role_sep|>\n{"name": "get_weather", "arguments": {"city":"Rome \\"(<","days":3}}',
        '<|message_sep|>\n\nfunction call<|role_sep|>\n{"name": "get_time", "arguments": {}}',
        None,
    ),
    "firefunction": (
        'functools[{"name": "get_weather", "arguments": {"city":"Rome \\"(<","days":3}}]',
        'functools[{"name": "get_time", "arguments": {}}]',
        'functools[{"name": "get_weather", "arguments": {"city":"Rome \\"(<","days":3}}, {"name": "get_time", "arguments": {}}]',
    ),
    "function-tag": (
        '<function=get_weather>{"city":"Rome \\"(<","days":3}</function>',
        "<function=get_time>{}</function>",
        '<function=get_weather>{"city":"Rome \\"(<","days":3}</function><function=get_time>{}</function>',
    ),
    "lfm2": (
        '<|tool_call_start|>[get_weather(city="Rome \\"(<", days=3)]<|tool_call_end|>',
        "<|tool_call_start|>[get_time()]<|tool_call_end|>",
        '<|tool_call_start|>[get_weather(city="Rome \\"(<", days=3), get_time()]<|tool_call_end|>',
    ),
    "olmo": (
        '<function_calls>\nget_weather(city="Rome \\"(<", days=3)\n</function_calls>',
        "<function_calls>\nget_time()\n</function_calls>",
        '<function_calls>\nget_weather(city="Rome \\"(<", days=3)\nget_time()\n</function_calls>',
    ),
    "hunyuan": (
        '<tool_calls:opensource>\n<tool_call:opensource>get_weather<tool_sep:opensource>\n<arg_key:opensource>city</arg_key:opensource>\n<arg_value:opensource>Rome "(<</arg_value:opensource>\n<arg_key:opensource>days</arg_key:opensource>\n<arg_value:opensource>3</arg_value:opensource>\n</tool_call:opensource>\n</tool_calls:opensource>',
        "<tool_calls:opensource>\n<tool_call:opensource>get_time<tool_sep:opensource>\n</tool_call:opensource>\n</tool_calls:opensource>",
        '<tool_calls:opensource>\n<tool_call:opensource>get_weather<tool_sep:opensource>\n<arg_key:opensource>city</arg_key:opensource>\n<arg_value:opensource>Rome "(<</arg_value:opensource>\n<arg_key:opensource>days</arg_key:opensource>\n<arg_value:opensource>3</arg_value:opensource>\n</tool_call:opensource>\n<tool_call:opensource>get_time<tool_sep:opensource>\n</tool_call:opensource>\n</tool_calls:opensource>',
    ),
    "hunyuan-plain": (
        '<tool_calls>\n<tool_call>get_weather<tool_sep>\n<arg_key>city</arg_key>\n<arg_value>Rome "(<</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n</tool_calls>',
        "<tool_calls>\n<tool_call>get_time<tool_sep>\n</tool_call>\n</tool_calls>",
        '<tool_calls>\n<tool_call>get_weather<tool_sep>\n<arg_key>city</arg_key>\n<arg_value>Rome "(<</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>\n<tool_call>get_time<tool_sep>\n</tool_call>\n</tool_calls>',
    ),
    "pythonic": (
        '[get_weather(city="Rome \\"(<", days=3)]',
        "[get_time()]",
        '[get_weather(city="Rome \\"(<", days=3), get_time()]',
    ),
}
# How the second argument of ROME is written.
DAYS = (
    ', "days": 3',
    ',"days":3',
    ",days:3",
    ", days=3",
    '<parameter name="days">3</parameter>\n',
    "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n",
    "<parameter=days>\n3\n</parameter>\n",
    '<｜DSML｜parameter name="days" string="false">3</｜DSML｜parameter>\n',
    '<|open|>argument key="days" type="number"<|sep|>3<|close|>argument<|sep|>',
    '<atem:parameter name="days">3</atem:parameter>\n',
    "]<]minimax[>[<days>3]<]minimax[>[</days>",
    '<param name="days">3</param>',
    "<arg_key:opensource>days</arg_key:opensource>\n<arg_value:opensource>3</arg_value:opensource>\n",
)
each_format = pytest.mark.parametrize("name", FORMATS)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Single bytes, an end, and `markers` as control tokens."""

    markers: tuple[str, ...] = ()
    eos_token_id: int = 256
    bos_token_id: None = None
    special_token_ids: tuple[int, ...] = ()
    is_tokenizer_wrapper: bool = True

    @property
    def tokens(self) -> list[bytes]:
        controls = (b"\xff" + marker.encode() for marker in ("<end>", *self.markers))
        return [*(bytes([byte]) for byte in range(256)), *controls]

    @property
    def ids(self) -> dict[str, int]:
        return {marker: 257 + place for place, marker in enumerate(self.markers)}

    def __call__(self, text: str) -> list[int]:
        return list(text.encode())

    def encode(self, reply: str) -> list[int]:
        """As a model says it that has the markers as tokens."""
        ids = self.ids
        parts = re.split("(" + "|".join(map(re.escape, ids)) + ")", reply) if ids else [reply]
        return [token for part in parts for token in ([ids[part]] if part in ids else part.encode())]


def matcher_of(constraint: Constraint, vocabulary: Vocabulary) -> LLMatcher:
    assert constraint.kind == "lark"
    grammar = LLMatcher.grammar_from_lark(strict_lark(constraint.text, vocabulary.ids))
    matcher = LLMatcher(LLTokenizer(vocabulary), grammar)
    assert not matcher.is_error(), matcher.get_error()
    return matcher


def allows(tool_format: ToolFormat, tools: Sequence[ToolSpec], reply: str, *, parallel: bool = False) -> bool:
    """Whether `reply` is a whole reply under the constraint, with markers as text and as tokens."""
    constraint = tool_format.constraint(tools, parallel=parallel)
    answers = {
        _accepts(matcher_of(constraint, vocabulary), vocabulary.encode(reply))
        for vocabulary in (Vocabulary(), Vocabulary(markers=tool_format.markers))
    }
    assert len(answers) == 1, "text and tokens are not the same"
    return answers.pop()


def _accepts(matcher: LLMatcher, tokens: list[int]) -> bool:
    return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())


def read(tool_format: ToolFormat, reply: str) -> list[dict[str, object]]:
    return joined(pieces_of(tool_format, [reply], TOOLS))


@each_format
def test_calls_are_allowed_and_read(name: str) -> None:
    one, other, both = CALLS[name]
    assert allows(FORMATS[name], TOOLS, one)
    assert allows(FORMATS[name], TOOLS, other)
    assert read(FORMATS[name], one) == [ROME]
    assert read(FORMATS[name], other) == [TIME]
    if both is not None:
        assert allows(FORMATS[name], TOOLS, both, parallel=True)
        assert not allows(FORMATS[name], TOOLS, both)
        assert read(FORMATS[name], both) == [ROME, TIME]


@each_format
def test_other_tools_and_text_are_refused(name: str) -> None:
    one, other, _ = CALLS[name]
    assert not allows(FORMATS[name], (GET_TIME,), one)
    assert not allows(FORMATS[name], (GET_WEATHER,), other)
    assert not allows(FORMATS[name], TOOLS, "Sure! " + one, parallel=True)
    assert not allows(FORMATS[name], TOOLS, one + " Done.", parallel=True)
    assert not allows(FORMATS[name], TOOLS, "", parallel=True)
    assert allows(FORMATS[name], TOOLS, "\n\n" + one)


@each_format
def test_arguments_must_be_as_the_schema_says(name: str) -> None:
    one, _, _ = CALLS[name]
    assert not allows(FORMATS[name], TOOLS, one.replace("3", "17"))
    assert not allows(FORMATS[name], TOOLS, one.replace("3", "soon"))
    assert not allows(FORMATS[name], TOOLS, one.replace("city", "town"))
    assert not allows(FORMATS[name], TOOLS, one.replace("days", "nights"))


@each_format
def test_required_arguments_must_be_there(name: str) -> None:
    _, other, _ = CALLS[name]
    assert not allows(FORMATS[name], TOOLS, other.replace("get_time", "get_weather"))


@each_format
@pytest.mark.parametrize("has_control_tokens", [False, True])
def test_an_answer_in_json_may_stand_beside_the_calls(name: str, has_control_tokens: bool) -> None:
    calls = FORMATS[name].constraint(TOOLS, parallel=True).text
    schema = '{"type": "object", "properties": {"name": {"type": "string"}, "n": {"type": "integer"}}}'
    either = f"start: calls | answer\ncalls: %lark {{\n{calls}\n}}\nanswer: %json {schema}\n"
    vocabulary = Vocabulary(markers=FORMATS[name].markers if has_control_tokens else ())
    for reply in (*CALLS[name][:2], '{"name": "x"}', '{"name": "get_weather", "n": 1}', '{"n":1}'):
        assert reply is not None
        matcher = matcher_of(Constraint(kind="lark", text=either), vocabulary)
        assert _accepts(matcher, vocabulary.encode(reply)), reply


@each_format
def test_a_name_may_begin_with_another(name: str) -> None:
    _, other, _ = CALLS[name]
    tools = (GET_TIME, ToolSpec("get"), ToolSpec("get_time_zone"))
    for each in ("get", "get_time", "get_time_zone"):
        reply = other.replace("get_time", each)
        assert allows(FORMATS[name], tools, reply), each
        assert joined(pieces_of(FORMATS[name], [reply], tools)) == [{"call": each, "arguments": {}}]


@each_format
def test_custom_tools_take_one_text(name: str) -> None:
    _, other, _ = CALLS[name]
    custom = ToolSpec("get_time", is_custom=True)
    assert not allows(FORMATS[name], (custom,), other)
    one, _, _ = CALLS[name]
    asked = one.replace("get_weather", "get_time").replace("city", "input")
    for days in DAYS:
        asked = asked.replace(days, "")
    assert allows(FORMATS[name], (custom,), asked), asked


@each_format
def test_a_tool_that_names_no_arguments_takes_none(name: str) -> None:
    _, other, _ = CALLS[name]
    one, _, _ = CALLS[name]
    nameless = ToolSpec("get_time", parameters={"type": "object", "properties": {}})
    assert allows(FORMATS[name], (nameless,), other)
    assert not allows(FORMATS[name], (nameless,), one.replace("get_weather", "get_time"))


@each_format
def test_every_offered_schema_compiles(name: str) -> None:
    tools = (*TOOLS, *AWKWARD, *(replace(tool, name=f"{tool.name}_{n}") for tool in TOOLS for n in range(30)))
    matcher_of(FORMATS[name].constraint(tools, parallel=True), Vocabulary())


AWKWARD = (
    ToolSpec("anything", parameters={"type": "object"}),
    ToolSpec("empty-name.x", parameters={}),
    ToolSpec(
        "recursive",
        parameters={
            "type": "object",
            "properties": {"tree": {"$ref": "#/$defs/tree"}},
            "$defs": {
                "tree": {
                    "type": "object",
                    "properties": {
                        "value": {"type": "number"},
                        "leaves": {"type": "array", "items": {"$ref": "#/$defs/tree"}},
                    },
                }
            },
        },
    ),
    ToolSpec(
        "limits",
        parameters={
            "type": "object",
            "properties": {
                "code": {"type": "string", "pattern": "^[A-Z]{2}/[0-9]+$"},
                "inner": {"type": "string", "pattern": "a|b"},
                "strange": {"type": "string", "pattern": "(?<=x)y"},
                "different": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
                "short": {"type": "string", "minLength": 2, "maxLength": 4},
                "mode": {"enum": ['a"b', "c", 3, None, True]},
                "kind": {"const": "fixed"},
                "pair": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
                "when": {"type": "string", "format": "date-time"},
                "odd": {"type": "string", "format": "uri-template"},
                "map": {"type": "object", "additionalProperties": {"type": "integer"}},
                "either": {"oneOf": [{"type": "integer"}, {"type": "array", "items": {"type": "string"}}]},
                "all": {"allOf": [{"$ref": "#/definitions/name"}]},
                "any": {},
            },
            "definitions": {"name": {"type": "string"}},
            "required": ["mode"],
        },
    ),
)
