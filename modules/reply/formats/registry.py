"""All tool formats, and the choice of the one a model was trained on."""

from modules.reply.formats.apertus import Apertus
from modules.reply.formats.bare_name import BareName
from modules.reply.formats.cohere import Command, CommandR
from modules.reply.formats.deepseek import DeepSeek
from modules.reply.formats.dsml import Dsml
from modules.reply.formats.firefunction import Firefunction
from modules.reply.formats.function_tag import FunctionTag
from modules.reply.formats.gemma import Gemma
from modules.reply.formats.gigachat import GigaChat, GigaChat30
from modules.reply.formats.glm import Glm
from modules.reply.formats.gpt_oss import GptOss
from modules.reply.formats.hunyuan import Hunyuan, PlainHunyuan
from modules.reply.formats.json_calls import JsonCalls
from modules.reply.formats.kimi import Kimi
from modules.reply.formats.kimi_k3 import KimiK3
from modules.reply.formats.minicpm import MiniCpm
from modules.reply.formats.minimax import MiniMax
from modules.reply.formats.minimax_m3 import MiniMaxM3
from modules.reply.formats.mistral import Mistral
from modules.reply.formats.muse import Muse
from modules.reply.formats.pythonic import Lfm2, Olmo, Pythonic
from modules.reply.formats.solar import Solar
from modules.reply.formats.xml_parameters import XmlParameters
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
