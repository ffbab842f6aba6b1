"""One reply per way of writing thoughts: how it comes from the model, and what is thought and what is answer in it."""

from dataclasses import dataclass
from typing import Final

from modules.reply.reasoning import formats
from modules.reply.reasoning.formats import ReasoningFormat, ReplyReasoning

HARMONY: Final = (formats.ANALYSIS, formats.COMMENTARY)


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    formats: tuple[ReasoningFormat, ...]
    reply: str
    thought: str
    answer: str
    is_open: bool = False

    @property
    def reasoning(self) -> ReplyReasoning:
        return ReplyReasoning(formats=self.formats, is_open=self.is_open)


CASES: Final = (
    Case("think", (formats.THINK,), "<think>\nA <b>?\n</think>\n\n  B", "A <b>?", "B"),
    Case("think after blanks", (formats.THINK,), "\n <think>a</think>b", "a", "b"),
    Case(
        "think, opened by the prompt", (formats.THINK,), "\nA\n\nB </thin \n</think>\n\nC", "A\n\nB </thin", "C", True
    ),
    Case("think, nothing thought", (formats.THINK,), "<think>\n\n</think>\n\nB", "", "B"),
    Case("think without end", (formats.THINK,), "<think>\nA\n\nB", "A\n\nB", ""),
    Case(
        "think, later tags are text",
        (formats.THINK,),
        "<think>a</think>b <think>c</think> d",
        "a",
        "b <think>c</think> d",
    ),
    Case(
        "analysis",
        HARMONY,
        "<|channel|>analysis<|message|>A<|end|><|start|>assistant<|channel|>final<|message|>B",
        "A",
        "B",
    ),
    Case(
        "commentary",
        HARMONY,
        "<|channel|>commentary<|message|>A <|<|end|><|start|>assistant<|channel|>final<|message|> B",
        "A <|",
        "B",
    ),
    Case(
        "analysis, then commentary",
        HARMONY,
        "<|channel|>analysis<|message|>A<|end|><|start|>assistant<|channel|>commentary<|message|>B<|end|>"
        "<|start|>assistant<|channel|>final<|message|>C",
        "AB",
        "C",
    ),
    Case("final channel alone", HARMONY, "<|channel|>final<|message|>B", "", "B"),
    Case(
        "a call after a thought",
        HARMONY,
        "<|channel|>analysis<|message|>A<|end|><|start|>assistant to=f",
        "A",
        "<|start|>assistant to=f",
    ),
    Case("seed", (formats.SEED,), "<seed:think>A</think></seed:think>\nB", "A</think>", "B"),
    Case("brackets", (formats.BRACKETS,), "[THINK]A[1][/THINK]B", "A[1]", "B"),
    Case("channel", (formats.CHANNEL,), "<|channel>thought\nA\n<channel|>B", "A", "B"),
    Case("channel after tool", (formats.CHANNEL, formats.CHANNEL_AFTER_TOOL), "thought\nA\n<channel|>\nB", "A", "B"),
    Case("solar", (formats.SOLAR,), "<|think|>A<|end|><|begin|>assistant<|content|>B", "A", "B"),
    Case("end only", (formats.THINK, formats.END_ONLY), "A\n\nA\n</think>\nB", "A\n\nA", "B"),
    Case("end only, nothing thought", (formats.THINK, formats.END_ONLY), "A </thin k>\n", "", "A </thin k>\n"),
    Case("end only, with a start", (formats.THINK, formats.END_ONLY), "<think>A</think>B", "A", "B"),
    Case(
        "hunyuan",
        (formats.HUNYUAN,),
        "<think>\nA\n</think>\n<answer>\nB </answer> is\nC\n</answer>\n",
        "A",
        "B </answer> is\nC",
    ),
    Case("hunyuan, without a thought", (formats.HUNYUAN,), "<answer>\nB\n</answer>", "", "B"),
    Case("hunyuan, without an answer's tags", (formats.HUNYUAN,), "<think>A</think>B", "A", "B"),
    Case("response", (formats.RESPONSE,), "<think>A</think><response>B</response>", "A", "B"),
    Case(
        "apriel",
        (formats.APRIEL,),
        "Here are my reasoning steps:\nA\n[BEGIN FINAL RESPONSE]\nB [END] C\n[END FINAL RESPONSE]",
        "A",
        "B [END] C",
    ),
    Case(
        "command",
        (formats.COMMAND_TEXT, formats.COMMAND_RESPONSE),
        "<|START_THINKING|>A<|END_THINKING|><|START_RESPONSE|>B<|END_RESPONSE|>",
        "A",
        "B",
    ),
    Case(
        "kimi k3, opened by the prompt",
        (formats.KIMI_K3,),
        "A<|close|>think<|sep|><|open|>response<|sep|>B<|close|>response<|sep|><|close|>message<|sep|>",
        "A",
        "B",
        True,
    ),
    Case("inner", (formats.INNER,), "<|inner_prefix|>A<|inner_suffix|>B", "A", "B"),
    Case("minimax m3", (formats.MINIMAX_M3,), "<mm:think>A</mm:think>B", "A", "B"),
    Case("muse", (formats.MUSE,), " to=self<|message|>A<|eom|><|start|>assistant to=user<|message|>B", "A", "B"),
    Case("a suffix", (formats.HUNYUAN_SUFFIXED,), "<think:opensource>A</think:opensource>B", "A", "B"),
    Case("think, ended by the prompt and once more", (formats.THINK,), "</think>\nB", "", "B"),
    Case(
        "analysis after a header that was cut off",
        HARMONY,
        "<|channel|>commentary 2?<|end|><|start|>assistant<|channel|>analysis<|message|>A<|end|>"
        "<|start|>assistant<|channel|>final<|message|>B",
        "A",
        "B",
    ),
    Case(
        "analysis after a header that another cuts off",
        HARMONY,
        "<|channel|>??<|start|>assistant<|channel|>analysis<|message|>A<|start|>assistant<|channel|>final<|message|>B",
        "A",
        "B",
    ),
    Case("a channel that there is not", HARMONY, "<|channel|>free text<|message|>B<|end|>", "", "B"),
    Case("a channel with signs", HARMONY, "<|channel|>--analysis?<|message|>A<|end|>B", "A", "B"),
    Case(
        "analysis after the answer",
        HARMONY,
        "<|channel|>final<|message|>B<|end|><|start|>assistant<|channel|>analysis<|message|>A<|end|>",
        "A",
        "B",
    ),
)
