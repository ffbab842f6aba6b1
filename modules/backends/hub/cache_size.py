"""How long a context a model folder can have, and what its keys and values take."""

from typing import Final

from modules.backends.hub_folder import ModelFolder
from modules.engine.types import LoadSpec

_DEFAULT_CONTEXT: Final = 8192
# How the weights of the part that sees are called.
_SEEING: Final = ("vision", "visual")


def context_of(folder: ModelFolder, spec: LoadSpec) -> int:
    """Tokens that one request may use."""
    trained = folder.trained_context
    wanted = spec.context or trained or _DEFAULT_CONTEXT
    return min(wanted, trained) if trained and folder.learns_positions else wanted


def token_numbers(folder: ModelFolder) -> int:
    """How many numbers one token takes in the cache of keys and values."""
    heads = folder.number("num_attention_heads") or folder.number("n_head")
    hidden = folder.number("hidden_size") or folder.number("n_embd")
    if not heads or not hidden:
        return _projected_numbers(folder)
    width = folder.number("head_dim") or (hidden // heads if heads else 0)
    shared = folder.number("num_key_value_heads") or heads
    # Latent attention: keys have a part without positions, and are wider than values.
    if apart := folder.number("qk_nope_head_dim"):
        both = apart + folder.number("qk_rope_head_dim") + folder.number("v_head_dim")
    else:
        both = 2 * width
    return _cached_layers(folder) * shared * both


def _projected_numbers(folder: ModelFolder) -> int:
    """By the weights, where the configuration leaves out what is usual for its family."""
    shapes = {name: tensor.shape for name, tensor in folder.tensors().items()}
    return sum(
        shape[0]
        for name, shape in shapes.items()
        if name.endswith((".k_proj.weight", ".v_proj.weight")) and not any(part in name for part in _SEEING)
    )


def _cached_layers(folder: ModelFolder) -> int:
    """Layers that keep something of each token: attention, and not what has one state for all of them."""
    kinds = folder.text.get("layer_types")
    if isinstance(kinds, list):
        return sum("attention" in str(kind) and "linear" not in str(kind) for kind in kinds)
    return folder.number("num_hidden_layers") or folder.number("n_layer")
