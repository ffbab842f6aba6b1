"""What can be read off a chat template about the shape in which it wants a conversation."""

import re
from dataclasses import dataclass
from typing import Final

_ID_LENGTH: Final = re.compile(r"\|\s*length\s*(?:!=|==)\s*9\b|\blen\w*\s*(?:!=|==)\s*9\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`as_parts`: content is a list of typed parts. `folds_results`: tool results stand in the message with the calls.
    `short_ids`: ids of calls are nine letters and digits. `thought_or_text`: a message with calls has only one of both.
    """

    as_parts: bool = False
    folds_results: bool = False
    short_ids: bool = False
    thought_or_text: bool = False


def shape_of(source: str, *, as_parts: bool) -> Shape:
    """What `source` gives away; `as_parts` has to be found out by rendering."""
    return Shape(
        as_parts=as_parts,
        # Gemma 4's
        folds_results="tool_responses" in source,
        # Mistral's refuse all other ids.
        short_ids=_ID_LENGTH.search(source) is not None,
        # GPT-OSS's refuse both together.
        thought_or_text="<|channel|>" in source and "thinking" in source,
    )
