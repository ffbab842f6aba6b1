"""DeepSeek's calls from V3.2 on: `<｜DSML｜function_calls>` holds `<｜DSML｜invoke name="NAME">`, whose parameters say in an
attribute whether they are text or JSON. V4 calls the section `tool_calls`."""

from modules.reply.formats.invoke import InvokeFormat
from modules.reply.formats.parameters import ParameterTags

_SECTIONS = ("function_calls", "tool_calls")
_MARK = "｜DSML｜"
_CALL = f'<{_MARK}invoke name="'
_CALL_END = f"</{_MARK}invoke>"
_SECTION_ENDS = tuple(f"</{_MARK}{section}>" for section in _SECTIONS)


class Dsml(InvokeFormat):
    name = "dsml"
    hints = (_MARK,)
    openers = tuple(f"<{_MARK}{section}>" for section in _SECTIONS)
    closers = (_CALL_END, *_SECTION_ENDS)
    markers = (_MARK,)
    section = openers[0]
    section_end = _SECTION_ENDS[0]
    invoke = _CALL
    tags = ParameterTags(
        opener=f'<{_MARK}parameter name="',
        key_closer='">',
        typed_closers=(('" string="true">', "string"), ('" string="false">', "json")),
        closer=f"</{_MARK}parameter>",
        call_closer=_CALL_END,
        gap="\n",
        enders=(_CALL, *_SECTION_ENDS),
        mark=_MARK,
    )
