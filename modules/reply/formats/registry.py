"""All tool formats, and the choice of the one a model was trained on."""

from modules.reply.formats.bare_name import BareName
from modules.reply.formats.deepseek import DeepSeek
from modules.reply.formats.gemma import Gemma
from modules.reply.formats.glm import Glm
from modules.reply.formats.gpt_oss import GptOss
from modules.reply.formats.json_calls import JsonCalls
from modules.reply.formats.kimi import Kimi
from modules.reply.formats.minimax import MiniMax
from modules.reply.formats.mistral import Mistral
from modules.reply.formats.pythonic import Pythonic
from modules.reply.formats.xml_parameters import XmlParameters
from modules.reply.tool_format import ToolFormat

_GENERIC = JsonCalls()

# In order of choice: formats whose hints also occur in templates of other formats come behind those.
ALL: tuple[ToolFormat, ...] = (
    DeepSeek(),
    Kimi(),
    GptOss(),
    Gemma(),
    MiniMax(),
    Glm(),
    XmlParameters(),
    Mistral(),
    BareName(),
    Pythonic(),
    _GENERIC,
)


def choose_tool_format(template: str) -> ToolFormat:
    """The format that the chat template gives away, or the generic one."""
    return next((each for each in ALL if any(hint in template for hint in each.hints)), _GENERIC)
