"""The format follows from what the chat template shows of calls."""

import pytest

from modules.reply.formats.registry import ALL, choose_tool_format

# A line of a template for each family, as far as it says how a call is written.
TEMPLATE_LINES = {
    "deepseek": "{{- '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>' + name + '<｜tool▁sep｜>' + arguments }}",
    "kimi": "<|tool_call_begin|>{{ call.id }}<|tool_call_argument_begin|>{{ arguments }}<|tool_call_end|>",
    "gpt-oss": '{{- "<|start|>assistant to=functions." ~ name ~ "<|channel|>commentary json<|message|>" }}',
    "gemma": "{{- '<|tool_call>call:' + name + '{' -}}",
    "minimax": "{%- set begin = '<minimax:tool_call>' %}",
    "glm": "<tool_call>{{ name }}{% for k, v in items %}<arg_key>{{ k }}</arg_key><arg_value>{{ v }}</arg_value>",
    "xml-parameters": "<tool_call>\n<function=example>\n<parameter=first>\nvalue\n</parameter>\n</function>\n</tool_call>",
    "mistral": "{{- '[TOOL_CALLS]' + name + '[ARGS]' + arguments }}",
    "bare-name": "{{ '>>>all\\n' + message['content'] }}",
    "dsml": "{{- '<｜DSML｜invoke name=\"' + name + '\">' }}",
    "kimi-k3": '<|open|>call tool="{{ name }}" index="{{ n }}"<|sep|>',
    "muse": "{{- '<atem:invoke name=\"' ~ name ~ '\">' }}",
    "minimax-m3": "{%- set ns_token = ']<]minimax[>[' -%}",
    "minicpm": "{{- '<param name=\"' ~ key ~ '\">' }}",
    "solar": "{{- '<|tool_call:begin|>' + id + '<|tool_call:name|>' + name }}",
    "apertus": "{%- set tool_calls_token = '<|tools_prefix|>' -%}",
    "command": "<|START_ACTION|>[{% for tc in message.tool_calls %}",
    "command-r": "{{- '\\nAction:\\n```json\\n[\\n' }}",
    "gigachat": "{{- '<|function_call|>' + call }}",
    "gigachat-3.0": "{{- 'function call<|role_sep|>\\n' + call }}",
    "firefunction": "{{- ' functools[' + calls + ']' }}",
    "function-tag": "{{- '<function=' + name + '>' + arguments + '</function>' }}",
    "lfm2": "{{- '<|tool_call_start|>[' + calls + ']<|tool_call_end|>' }}",
    "olmo": "{{- '<function_calls>' + calls + '</function_calls>' }}",
    "hunyuan": "{%- set HYTK = ':opensource' %}",
    "hunyuan-plain": "{{- '<tool_call>' + name + '<tool_sep>' }}",
    "pythonic": "Answer with [func_name1(params_name1=params_value1, params_name2=params_value2...), func_name2(params)]",
    "json": '<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>',
}


@pytest.mark.parametrize(("name", "line"), TEMPLATE_LINES.items())
def test_a_template_gives_its_format_away(name: str, line: str) -> None:
    assert choose_tool_format(f"{{% for message in messages %}}{line}{{% endfor %}}").name == name


def test_every_format_can_be_chosen() -> None:
    assert set(TEMPLATE_LINES) == {each.name for each in ALL}


@pytest.mark.parametrize("template", ["", "{{ bos_token }}{% for m in messages %}<|im_start|>{{ m.role }}{% endfor %}"])
def test_a_template_that_shows_no_calls_gets_json(template: str) -> None:
    assert choose_tool_format(template).name == "json"
