"""The text of token ids in OpenAI's encoding cl100k_base, which clients send in place of texts."""

import lzma
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

from modules.errors import BadRequest

# The lengths of all tokens in bytes, then the tokens, in the order of their ids. Of OpenAI's cl100k_base.tiktoken, MIT.
_TOKENS: Final = Path(__file__).with_name("cl100k_base.xz")
_COUNT: Final = 100_256
_SPECIAL: Final = {
    100_257: b"<|endoftext|>",
    100_258: b"<|fim_prefix|>",
    100_259: b"<|fim_middle|>",
    100_260: b"<|fim_suffix|>",
    100_276: b"<|endofprompt|>",
}


class Cl100k:
    """Reads its table once, in some hundredths of a second."""

    def __init__(self) -> None:
        content = lzma.decompress(_TOKENS.read_bytes())
        self._bytes = content[_COUNT:]
        self._ends = tuple(accumulate(content[:_COUNT]))

    def token(self, token: int) -> bytes:
        """Raises BadRequest for what is no token."""
        if 0 <= token < _COUNT:
            return self._bytes[self._ends[token - 1] if token else 0 : self._ends[token]]
        if token in _SPECIAL:
            return _SPECIAL[token]
        raise BadRequest(
            f"{token} is not a token of cl100k_base. Send texts, or start the server with --embedding-token-ids own if "
            "these are the ids of the embedding model.",
            param="input",
        )

    def text(self, tokens: Sequence[int]) -> str:
        """Bytes that are no whole characters become replacement characters."""
        return b"".join(map(self.token, tokens)).decode("utf-8", "replace")
