"""How model families write their thoughts, as data, and which of these ways a reply can begin with."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningFormat:
    """A thought stands between `start` and `end`; with an empty `start` it begins where the reply begins.

    `answer` is the marker in front of what follows the thoughts, and `header` what may stand between the end of one
    message of a reply and the marker of the next. `after` are prompt endings without which the format is none.
    """

    name: str
    end: str
    start: str = ""
    answer: str = ""
    header: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What a reply can begin with. `is_open`: the prompt has begun the first format's thought already. `is_over`: it
    has begun the answer, so that no thought can follow. `prefixes` are texts that the answer may begin with and that
    nobody is shown; where there are any, nor are the blanks before it.
    """

    formats: tuple[ReasoningFormat, ...] = ()
    is_open: bool = False
    is_over: bool = False
    prefixes: tuple[str, ...] = ()

    @property
    def can_occur(self) -> bool:
        """False when a reply is nothing but answer."""
        return bool(self.formats or self.prefixes) and not self.is_over

    @property
    def marks(self) -> tuple[str, ...]:
        """Everything that has to be printed for the thoughts to be found."""
        texts = (text for each in self.formats for text in (each.start, each.end, each.answer, each.header))
        return tuple(dict.fromkeys(filter(None, texts))) if not self.is_over else ()


THINK: Final = ReasoningFormat(name="think", start="<think>", end="</think>")
END_ONLY: Final = ReasoningFormat(name="end only", end="</think>")
ANALYSIS: Final = ReasoningFormat(
    name="analysis",
    start="<|channel|>analysis<|message|>",
    end="<|end|>",
    answer="<|channel|>final<|message|>",
    header="<|start|>assistant",
)
COMMENTARY: Final = ReasoningFormat(
    name="commentary",
    start="<|channel|>commentary<|message|>",
    end="<|end|>",
    answer="<|channel|>final<|message|>",
    header="<|start|>assistant",
)
SEED: Final = ReasoningFormat(name="seed", start="<seed:think>", end="</seed:think>")
CHANNEL: Final = ReasoningFormat(name="channel", start="<|channel>thought", end="<channel|>")
# After a tool's answer the model goes on with the thought's name alone. It is an ordinary word anywhere else.
CHANNEL_AFTER_TOOL: Final = ReasoningFormat(
    name="channel after tool",
    start="thought\n",
    end="<channel|>",
    after=("<|channel>", "<tool_response|>"),
)
SOLAR: Final = ReasoningFormat(
    name="solar", start="<|think|>", end="<|end|>", answer="<|content|>", header="<|begin|>assistant"
)
BRACKETS: Final = ReasoningFormat(name="brackets", start="[THINK]", end="[/THINK]")
ALL: Final = (THINK, ANALYSIS, COMMENTARY, SEED, CHANNEL, CHANNEL_AFTER_TOOL, SOLAR, END_ONLY, BRACKETS)
_TAIL: Final = 200

# Texts of a template that together give a family away. The first row that fits counts.
_FAMILIES: Final[tuple[tuple[tuple[str, ...], tuple[ReasoningFormat, ...]], ...]] = (
    (("<|channel|>", "analysis"), (ANALYSIS, COMMENTARY)),
    (("<|channel>",), (CHANNEL, CHANNEL_AFTER_TOOL)),
    (("<|think|>", "<|content|>"), (SOLAR,)),
    (("<seed:think>",), (SEED,)),
    (("[THINK]",), (BRACKETS,)),
    (("<think>",), (THINK,)),
    # These templates only cut thoughts out of earlier turns: the model may write the tag that begins one, or not.
    (("</think>",), (THINK, END_ONLY)),
)


def choose_reasoning(template: str, prompt: str, *, is_open: bool = False, is_over: bool = False) -> Reasoning:
    """For the replies of a model whose chat template is `template` to the rendered `prompt`.

    A reply that is continued has begun in the prompt: `is_open` with a thought, `is_over` with its answer.
    """
    formats = next((formats for hints, formats in _FAMILIES if all(hint in template for hint in hints)), ())
    tail = prompt[-_TAIL:].rstrip()
    usable = tuple(each for each in formats if not each.after or tail.endswith(each.after))
    opened = next((each for each in usable if each.start and tail.endswith(each.start)), None)
    if opened is not None:
        return Reasoning(formats=(opened, *(each for each in usable if each is not opened)), is_open=True)
    return Reasoning(formats=usable, is_open=is_open and bool(usable), is_over=is_over)
