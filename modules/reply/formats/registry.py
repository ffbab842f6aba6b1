"""All tool formats, and the choice of the one a model was trained on."""

from modules.reply.formats.gemma import Gemma
from modules.reply.formats.gpt_oss import GptOss
from modules.reply.formats.invoke import Dsml, KimiK3, MiniMax, Muse
from modules.reply.formats.json_calls import Apertus, Command, CommandR, Firefunction, GigaChat, GigaChat30, JsonCalls
from modules.reply.formats.minimax_m3 import MiniMaxM3
from modules.reply.formats.named_json import BareName, DeepSeek, Kimi, Mistral, Solar
from modules.reply.formats.pythonic import Lfm2, Olmo, Pythonic
from modules.reply.formats.tagged import FunctionTag, Glm, Hunyuan, MiniCpm, PlainHunyuan, XmlParameters
from modules.reply.tool_format import ToolFormat

_GENERIC = JsonCalls()

# In order of choice: formats whose hints also occur in templates of other formats come behind those.
ALL: tuple[ToolFormat, ...] = (
    Dsml(),
    DeepSeek(),
    KimiK3(),
    Kimi(),
    Muse(),
    GptOss(),
    Gemma(),
    MiniMaxM3(),
    MiniMax(),
    MiniCpm(),
    Hunyuan(),
    PlainHunyuan(),
    Glm(),
    XmlParameters(),
    FunctionTag(),
    Solar(),
    Apertus(),
    Command(),
    CommandR(),
    GigaChat(),
    GigaChat30(),
    Firefunction(),
    Mistral(),
    BareName(),
    Lfm2(),
    Pythonic(),
    Olmo(),
    _GENERIC,
)


def choose_tool_format(template: str) -> ToolFormat:
    """The format that the chat template gives away, or the generic one."""
    return next((each for each in ALL if any(hint in template for hint in each.hints)), _GENERIC)
