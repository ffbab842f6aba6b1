"""What can be read off a chat template about the shape in which it wants a conversation."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

# Gemma 4's
_FOLDED: Final = re.compile(r"""\.tool_responses\b|[\[(]\s*['"]tool_responses['"]\s*[\])]""")
_ID_LENGTH: Final = re.compile(r"\|\s*length\s*(?:!=|==)\s*9\b|\blen\w*\s*(?:!=|==)\s*9\b")


class IdStyle(StrEnum):
    """What ids of calls look like: as they came, nine letters and digits, or `functions.NAME:NUMBER`, counted from 0
    over the whole conversation."""

    AS_GIVEN = "as given"
    SHORT = "short"
    NUMBERED = "numbered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`as_parts`: content is a list of typed parts. `folds_results`: tool results stand in the message with the calls.
    `thought_or_text`: a message with calls has only one of both. `null_beside_calls`: the content of a message with
    calls and no text is null. `no_tools_are_a_list`: without tools the template goes through an empty list.
    """

    as_parts: bool = False
    folds_results: bool = False
    ids: IdStyle = IdStyle.AS_GIVEN
    thought_or_text: bool = False
    null_beside_calls: bool = False
    no_tools_are_a_list: bool = False


def shape_of(source: str) -> Shape:
    """What `source` gives away; the rest has to be found out by rendering."""
    return Shape(
        ids=_ids_of(source),
        # GPT-OSS's refuse both together.
        thought_or_text="<|channel|>" in source and "thinking" in source,
    )


def may_fold_results(source: str) -> bool:
    """Whether the template reads results from the message with their calls; it may know them as turns, too."""
    return _FOLDED.search(source) is not None


def _ids_of(source: str) -> IdStyle:
    # Kimi's print them, and the model was trained on no others.
    if "<|tool_call_argument_begin|>" in source:
        return IdStyle.NUMBERED
    # Mistral's refuse all other ids.
    return IdStyle.SHORT if _ID_LENGTH.search(source) else IdStyle.AS_GIVEN
