"""How model families write their thoughts, as data, and which of these ways a reply can begin with."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningFormat:
    """A thought stands between `start` and `end`; with an empty `start` it begins where the reply begins.

    `answer` is the marker in front of what follows the thoughts, and `header` what may stand between the end of one
    message of a reply and the marker of the next. `answer_ends` stand behind an answer that begins with the marker, or
    with the end of a thought where there is no such marker: the first of them, then any of the others. `after` are prompt
    endings without which the format is none.
    """

    name: str
    end: str
    start: str = ""
    answer: str = ""
    header: str = ""
    answer_ends: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def has_answer_message(self) -> bool:
        """Whether an answer stands in a message of its own, and so never without its marker; a mere wrapper may be left
        out."""
        return bool(self.answer) and not self.answer_ends


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyReasoning:
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
        texts = (
            text
            for each in self.formats
            for text in (each.start, each.end, each.answer, each.header.rstrip(), *each.answer_ends)
        )
        return tuple(dict.fromkeys(filter(None, texts))) if not self.is_over else ()


THINK: Final = ReasoningFormat(name="think", start="<think>", end="</think>")
# Templates that open the thought in the prompt leave only its end to the reply.
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
HUNYUAN: Final = ReasoningFormat(
    name="hunyuan", start="<think>", end="</think>", answer="<answer>", answer_ends=("</answer>",)
)
HUNYUAN_SUFFIXED: Final = ReasoningFormat(
    name="hunyuan with a suffix", start="<think:opensource>", end="</think:opensource>"
)
RESPONSE: Final = ReasoningFormat(
    name="response", start="<think>", end="</think>", answer="<response>", answer_ends=("</response>",)
)
APRIEL: Final = ReasoningFormat(
    name="apriel",
    start="Here are my reasoning steps:",
    end="[BEGIN FINAL RESPONSE]",
    answer_ends=("[END FINAL RESPONSE]",),
)
COMMAND_RESPONSE: Final = ReasoningFormat(
    name="command",
    start="<|START_THINKING|>",
    end="<|END_THINKING|>",
    answer="<|START_RESPONSE|>",
    answer_ends=("<|END_RESPONSE|>",),
)
COMMAND_TEXT: Final = ReasoningFormat(
    name="command with text",
    start="<|START_THINKING|>",
    end="<|END_THINKING|>",
    answer="<|START_TEXT|>",
    answer_ends=("<|END_TEXT|>",),
)
INNER: Final = ReasoningFormat(name="inner", start="<|inner_prefix|>", end="<|inner_suffix|>")
KIMI_K3: Final = ReasoningFormat(
    name="kimi k3",
    start="<|open|>think<|sep|>",
    end="<|close|>think<|sep|>",
    answer="<|open|>response<|sep|>",
    answer_ends=("<|close|>response<|sep|>", "<|close|>message<|sep|>"),
)
MINIMAX_M3: Final = ReasoningFormat(name="minimax m3", start="<mm:think>", end="</mm:think>")
MUSE: Final = ReasoningFormat(
    name="muse",
    start="to=self<|message|>",
    end="<|eom|>",
    answer="to=user<|message|>",
    header="<|start|>assistant ",
    answer_ends=("<|eom|>",),
)
ALL: Final = (
    THINK,
    ANALYSIS,
    COMMENTARY,
    SEED,
    CHANNEL,
    CHANNEL_AFTER_TOOL,
    SOLAR,
    END_ONLY,
    BRACKETS,
    HUNYUAN,
    HUNYUAN_SUFFIXED,
    RESPONSE,
    APRIEL,
    COMMAND_RESPONSE,
    COMMAND_TEXT,
    INNER,
    KIMI_K3,
    MINIMAX_M3,
    MUSE,
)
# A prompt ends with the opening of the reply, and with at most a mark of thinking in it.
_TAIL: Final = 200

# Texts of a template that together give a family away. The first row that fits counts.
_FAMILIES: Final[tuple[tuple[tuple[str, ...], tuple[ReasoningFormat, ...]], ...]] = (
    (("<|channel|>", "analysis"), (ANALYSIS, COMMENTARY)),
    (("<|channel>",), (CHANNEL, CHANNEL_AFTER_TOOL)),
    (("<|think|>", "<|content|>"), (SOLAR,)),
    (("<seed:think>",), (SEED,)),
    (("[THINK]",), (BRACKETS,)),
    (("[BEGIN FINAL RESPONSE]",), (APRIEL,)),
    (("<|START_THINKING|>", "<|START_TEXT|>"), (COMMAND_TEXT, COMMAND_RESPONSE)),
    (("<|START_THINKING|>",), (COMMAND_RESPONSE,)),
    (("<|inner_prefix|>",), (INNER,)),
    (("<|open|>", "<|close|>", "think"), (KIMI_K3,)),
    (("<mm:think>",), (MINIMAX_M3,)),
    (("to=self<|message|>",), (MUSE,)),
    ((":opensource", "<think"), (HUNYUAN_SUFFIXED,)),
    (("<think>", "<answer>"), (HUNYUAN,)),
    # Here results of tools stand in that tag.
    (("<think>", "minimax:tool_call"), (THINK,)),
    (("<think>", "<response>"), (RESPONSE,)),
    (("<think>",), (THINK,)),
    # These templates only cut thoughts out of earlier turns: the model may write the tag that begins one, or not.
    (("</think>",), (THINK, END_ONLY)),
)


def choose_reasoning(template: str, prompt: str, *, is_open: bool = False, is_over: bool = False) -> ReplyReasoning:
    """For the replies of a model whose chat template is `template` to the rendered `prompt`.

    A reply that is continued has begun in the prompt: `is_open` with a thought, `is_over` with its answer.
    """
    formats = next((formats for hints, formats in _FAMILIES if all(hint in template for hint in hints)), ())
    tail = prompt[-_TAIL:].rstrip()
    usable = tuple(each for each in formats if not each.after or tail.endswith(each.after))
    opened = next((each for each in usable if each.start and tail.endswith(each.start)), None)
    if opened is not None:
        return ReplyReasoning(formats=(opened, *(each for each in usable if each is not opened)), is_open=True)
    return ReplyReasoning(formats=usable, is_open=is_open and bool(usable), is_over=is_over)
