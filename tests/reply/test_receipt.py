"""What a receipt says of whether its reply comes again."""

from typing import Any

import pytest

from modules.engine.types import Usage
from modules.events import Done, FinishReason, ReplyFacts, Started
from modules.reply.receipt import ReceiptNotes
from modules.sampling import Sampling


def receipt(*usages: Usage, **settings: str | int | bool) -> dict[str, Any]:
    facts = ReplyFacts(
        prompts=("ab",),
        template="cd",
        model="ef",
        seeds=(7,),
        sampling=Sampling(),
        constraint=None,
        replay=tuple(settings.items()),
    )
    notes = ReceiptNotes()
    notes.note(Started(model="m", prompt_tokens=100, repairs=(), unsupported=(), facts=facts))
    for index, usage in enumerate(usages):
        notes.note(Done(index=index, reason=FinishReason.STOP, usage=usage))
    return notes.body([])


LONE = Usage(prompt_tokens=100, completion_tokens=9, prompt_steps=1)


@pytest.mark.parametrize(
    ("usages", "flash", "reasons"),
    [
        ([LONE], "on", []),
        ([LONE, LONE], "on", ["choices"]),
        ([Usage(100, 9, 40, prompt_steps=1)], "on", ["cached"]),
        ([Usage(100, 9, prompt_steps=2)], "on", ["slices"]),
        ([Usage(100, 9, prompt_steps=2)], "off", []),
        ([Usage(100, 9, prompt_steps=1, rejected_tokens=1)], "on", ["drafted"]),
        ([Usage(100, 9, 40, prompt_steps=2, accepted_tokens=1)], "auto", ["cached", "slices", "drafted"]),
    ],
)
def test_it_says_why_a_reply_may_not_come_again(usages: list[Usage], flash: str, reasons: list[str]) -> None:
    assert receipt(*usages, flash_attn=flash)["replay"] == {"is_exact": not reasons, "because": reasons}


def test_of_models_elsewhere_it_is_not_known() -> None:
    assert receipt(LONE)["replay"]["is_exact"] is None


def test_moved_tokens_stand_apart() -> None:
    prompt = receipt(Usage(100, 9, 80, disk_tokens=10, shared_tokens=20, moved_tokens=30, prompt_steps=1))["prompt"]
    assert [prompt[name] for name in ("computed", "ram", "disk", "shared", "moved")] == [20, 20, 10, 20, 30]
