"""The options of the Transformers backend.

Importable without the library, for settings, the page and estimates.
"""

from types import MappingProxyType
from typing import ClassVar, Final

from modules.settings.options import SettingsGroup, setting

# Bytes of one number.
DTYPES: Final = MappingProxyType({"float32": 4, "bfloat16": 2, "float16": 2})
AUTO: Final = "auto"
_DTYPE_SYNONYMS: Final = MappingProxyType({"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "half": "float16"})
# The cache of a sequence grows by this part of what it holds, so that it is not copied for each token.
SPARE_SHARE: Final = 8
# Prompt tokens that one step reads, at most.
MOST_READ: Final = 2048


class TransformersOptions(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Transformers"

    dtype: str = setting(
        AUTO,
        "Number format of the weights: auto takes the folder's on a graphics card, and float32 on a CPU, where it is most "
        "often the fastest.",
        choices=(AUTO, *DTYPES),
        synonyms=_DTYPE_SYNONYMS,
        aliases=("torch_dtype",),
        label="Number format",
        is_main=True,
    )
    load_in_8bit: bool = setting(
        False, "Quantize the weights to 8 bits while they are loaded, with bitsandbytes.", label="Load in 8 bit"
    )
    load_in_4bit: bool = setting(
        False, "Quantize the weights to 4 bits while they are loaded, with bitsandbytes.", label="Load in 4 bit"
    )
    quant_type: str = setting("nf4", "Number format of --load-in-4bit.", choices=("nf4", "fp4"), label="4-bit format")
    use_double_quant: bool = setting(
        False, "With --load-in-4bit, quantize the scales too: a little smaller.", label="Double quantization"
    )
    cpu: bool = setting(False, "Compute on the CPU although there is a graphics card.", label="CPU only")
    attn_implementation: str = setting(
        AUTO,
        "How attention is computed: auto computes all replies together wherever the architecture allows it; the others are "
        "Transformers' own, one reply after another.",
        choices=(AUTO, "sdpa", "eager", "flash_attention_2"),
        label="Attention",
    )
    torch_threads: int = setting(
        0, "Threads of PyTorch; 0 takes one per physical core that the program may use.", ge=0, le=1024
    )
    cache_tokens: int = setting(
        0,
        "Size of the KV cache of a Transformers model in tokens, for all requests and for prefixes that are kept; 0 means "
        "as many as --ctx-size.",
        ge=0,
        le=2**28,
        label="KV cache size (tokens)",
    )
