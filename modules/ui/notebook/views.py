"""Views of a notebook's text: its tokens, the next token's candidates, and HTML."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from modules.engine.types import Alternative

_SIGNS: Final = str.maketrans({"\n": "⏎", "\r": "␍", "\t": "⇥", " ": "·"})


def next_tokens_html(alternatives: Sequence[Alternative]) -> str:
    """A table of tokens with their probabilities, in the order given."""
    rows = "".join(
        f"<tr><td>{_percent(each)}</td>"
        f'<td><meter min="0" max="1" value="{math.exp(each.logprob):.6f}"></meter></td>'
        f"<td><code>{shown_piece(each.data)}</code></td><td>{each.token}</td></tr>"
        for each in alternatives
    )
    head = "<tr><th>Probability</th><th></th><th>Token</th><th>Id</th></tr>"
    return f'<table class="next-tokens"><thead>{head}</thead><tbody>{rows}</tbody></table>'


def tokens_html(pieces: Sequence[tuple[int, str]], total: int) -> str:
    """Each token's text above its id; `pieces` are the first of `total`."""
    items = "".join(
        f"<li><code>{escape(piece.translate(_SIGNS))}</code><span>{token}</span></li>" for token, piece in pieces
    )
    rest = f"<p>These are the first {len(pieces):,} of {total:,} tokens.</p>" if total > len(pieces) else ""
    return f'{rest}<ol class="tokens">{items}</ol>'


def shown_piece(data: bytes) -> str:
    """A token's bytes as HTML, with signs for what prints nothing; part of a character is shown by its bytes."""
    return escape(data.decode("utf-8", "backslashreplace").translate(_SIGNS))


def framed(text: str) -> str:
    """`text` as a page of HTML in a frame that runs no scripts, sends no forms and knows nothing of the page around it."""
    return (
        '<iframe class="framed" sandbox="" referrerpolicy="no-referrer" title="The text as HTML" '
        f'srcdoc="{escape(text)}"></iframe>'
    )


def counted(tokens: int) -> str:
    return f"{tokens:,} token" if tokens == 1 else f"{tokens:,} tokens"


def _percent(alternative: Alternative) -> str:
    return f"{math.exp(alternative.logprob) * 100:.2f} %"
