"""MiniMax M2's calls: `<minimax:tool_call><invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke>…`."""

from modules.reply.formats.invoke import InvokeFormat
from modules.reply.formats.parameters import ParameterTags

_CALLS = "<minimax:tool_call>"
_CALLS_END = "</minimax:tool_call>"
_CALL = '<invoke name="'


class MiniMax(InvokeFormat):
    name = "minimax"
    hints = ("minimax:tool_call",)
    openers = (_CALLS,)
    closers = ("</invoke>", _CALLS_END)
    markers = (_CALLS, _CALLS_END)
    section = _CALLS
    section_end = _CALLS_END
    invoke = _CALL
    tags = ParameterTags(
        opener='<parameter name="',
        key_closer='">',
        closer="</parameter>",
        call_closer="</invoke>",
        gap="\n",
        enders=(_CALL, _CALLS_END),
    )
