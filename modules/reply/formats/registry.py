"""All tool formats, and the choice of the one a model was trained on."""

from modules.reply.formats.json_calls import JsonCalls
from modules.reply.tool_format import ToolFormat

_GENERIC = JsonCalls()

# In order of choice: formats whose hints also occur in templates of other formats come behind those.
ALL: tuple[ToolFormat, ...] = (_GENERIC,)


def choose_tool_format(template: str) -> ToolFormat:
    """The format that the chat template gives away, or the generic one."""
    return next((each for each in ALL if any(hint in template for hint in each.hints)), _GENERIC)
