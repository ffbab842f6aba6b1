"""Templates that are as strict, or as forgetful, as those of real models; each to one rule, and one to all."""

from types import MappingProxyType
from typing import Final

_TURN: Final = "{{ '<|im_start|>' + m.role + '\n' + (m.content or '') }}"
_END: Final = "{{ '<|im_end|>\n' }}"
_PROMPT: Final = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
_CALLS: Final = "{% for c in m.tool_calls or [] %}{{ c.function.name ~ (c.function.arguments | tojson) }}{% endfor %}"
_LOOP: Final = "{% for m in messages %}"
_SYSTEM_FIRST: Final = "{% if m.role == 'system' and not loop.first %}{{ raise_exception('System message must be at the beginning.') }}{% endif %}"
_NO_SYSTEM: Final = "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
_ONE_CALL: Final = (
    "{% if m.tool_calls and m.tool_calls | length != 1 %}"
    "{{ raise_exception('This model only supports single tool-calls at once!') }}{% endif %}"
)
_MAPPING: Final = (
    "{% for c in m.tool_calls or [] %}{% if c.function.arguments is not mapping %}"
    "{{ raise_exception('arguments must be a JSON object') }}{% endif %}{% endfor %}"
)
_NEEDS_USER: Final = (
    "{% if messages | selectattr('role', 'equalto', 'user') | list | length == 0 %}"
    "{{ raise_exception('No user query found in messages.') }}{% endif %}"
)
_ALTERNATES: Final = (
    "{% set ns = namespace(i=0) %}{% for m in messages %}{% if m.role in ['user', 'assistant'] and not m.tool_calls %}"
    "{% if (m.role == 'user') != (ns.i % 2 == 0) %}"
    "{{ raise_exception('After the optional system message, conversation roles must alternate') }}{% endif %}"
    "{% set ns.i = ns.i + 1 %}{% endif %}{% endfor %}"
)
# As Gemma 2's: every turn counts.
_ALTERNATES_ALWAYS: Final = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% endfor %}"
)
_DROPS_LATER: Final = (
    "{% if messages[0].role == 'system' %}{{ messages[0].content + '\n' }}{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}{% if m.role != 'system' %}"
)


def _template(*rules: str, calls: str = _CALLS, before: str = "") -> str:
    return before + _LOOP + "".join(rules) + _TURN + calls + _END + "{% endfor %}" + _PROMPT


STRICT: Final = MappingProxyType(
    {
        "strict_system": _template(_SYSTEM_FIRST),
        "strict_alternate": _template(before=_ALTERNATES),
        "no_system": _template(_NO_SYSTEM),
        "needs_user": _template(before=_NEEDS_USER),
        "one_call": _template(_ONE_CALL),
        "mapping": _template(_MAPPING),
        "drops_later": _DROPS_LATER + _TURN + _CALLS + _END + "{% endif %}{% endfor %}" + _PROMPT,
        "ignores_calls": _template(calls=""),
        "alternates_always": _template(_NO_SYSTEM, before=_ALTERNATES_ALWAYS, calls=""),
        "combined": _template(_SYSTEM_FIRST, _ONE_CALL, _MAPPING, before=_NEEDS_USER + _ALTERNATES),
        "combined_without_system": _template(_NO_SYSTEM, before=_NEEDS_USER + _ALTERNATES, calls=""),
        "takes_everything": _template(),
    }
)
