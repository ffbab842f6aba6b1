"""What hooks return is read as what it has to be, or refused with the place that is wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modules.chatmodels.hook_values import checked
from modules.errors import ExtensionFailed
from modules.hooks import ExtensionHook
from modules.messages import Role, TextPart, ToolSpec, text_message
from modules.requests import ChatRequest, CompletionRequest, Limits, Mode, Persona
from modules.sampling import Sampling

CHAT = ChatRequest(model=None, messages=(text_message(Role.USER, "hello"),), tools=(ToolSpec("f", "", {"a": [1]}),))


def altered(value: Any, **fields: Any) -> Any:
    """Of whatever types."""
    return replace(value, **fields)


def returned(hook: str, value: object, **known: object) -> Any:
    return checked(hook, ExtensionHook("mine", print), value, **known)


RAW = CompletionRequest(model=None, prompts=("x",))


def with_limits(**fields: Any) -> ChatRequest:
    return replace(CHAT, limits=replace(CHAT.limits, **fields))


def with_sampling(**fields: Any) -> ChatRequest:
    return replace(CHAT, sampling=Sampling(**fields))


@pytest.mark.parametrize(
    ("hook", "value", "place"),
    [
        ("chat_request", with_limits(max_tokens=150.0), "limits.max_tokens"),
        ("chat_request", with_limits(max_tokens="150"), "limits.max_tokens"),
        ("chat_request", with_limits(n=True), "limits.n"),
        ("chat_request", with_limits(stop="END"), "limits.stop"),
        ("chat_request", with_limits(stop=("END", None)), r"limits.stop\[1\]"),
        ("chat_request", with_limits(stop_token_ids=(2**70,)), r"limits.stop_token_ids\[0\]"),
        ("chat_request", with_limits(ignore_eos=1), "limits.ignore_eos"),
        ("chat_request", with_sampling(temperature="hot"), "sampling.temperature"),
        ("chat_request", with_sampling(temperature=float("nan")), "sampling.temperature"),
        ("chat_request", with_sampling(temperature=None), "sampling.temperature"),
        ("chat_request", with_sampling(seed=1.5), "sampling.seed"),
        ("chat_request", with_sampling(logit_bias={"5": 1.0}), r"sampling.logit_bias.keys\(\)"),
        ("chat_request", with_sampling(logit_bias=[(5, 1.0)]), "sampling.logit_bias"),
        ("chat_request", altered(CHAT, messages="hello"), "messages"),
        ("chat_request", altered(CHAT, messages=({"role": "user", "content": "x"},)), r"messages\[0\]"),
        (
            "chat_request",
            altered(CHAT, messages=(altered(CHAT.messages[0], parts=("x",)),)),
            r"messages\[0\].parts\[0\]",
        ),
        ("chat_request", altered(CHAT, messages=(altered(CHAT.messages[0], role="robot"),)), r"messages\[0\].role"),
        (
            "chat_request",
            altered(CHAT, messages=(altered(CHAT.messages[0], parts=(altered(TextPart(""), text=5),)),)),
            r"parts\[0\].text",
        ),
        ("chat_request", altered(CHAT, persona=altered(Persona(), mode="loud")), "persona.mode"),
        ("chat_request", altered(CHAT, constraint="json"), "constraint"),
        ("chat_request", None, "must be ChatRequest, not None"),
        ("chat_request", CompletionRequest(model=None, prompts=("x",)), "must be ChatRequest"),
        ("completion_request", altered(RAW, prompts="x"), "prompts"),
        ("completion_request", altered(RAW, prompts=(1,)), r"prompts\[0\]"),
        ("chat_prompt", b"bytes", "must be str, not bytes"),
        ("reply_prefix", None, "must be str, not None"),
        ("token_count", 10.5, "must be a whole number, not float"),
        ("prompt_tokens", "abc", "must be a tuple, not str"),
        ("prompt_tokens", (1, 2.0), r"\[1\]"),
        ("reply", 5, "must be str, not int"),
        ("reply_text", ["a"], "must be str, not list"),
    ],
)
def test_a_value_of_a_wrong_type_names_the_extension_and_the_place(hook: str, value: object, place: str) -> None:
    with pytest.raises(ExtensionFailed, match=place) as refused:
        returned(hook, value)
    assert "The extension mine" in refused.value.message
    assert hook in refused.value.message


@pytest.mark.parametrize(
    ("hook", "given", "read"),
    [
        ("chat_request", CHAT, CHAT),
        ("chat_request", altered(CHAT, messages=list(CHAT.messages)), CHAT),
        ("chat_request", with_sampling(temperature=1), with_sampling(temperature=1.0)),
        ("chat_request", with_sampling(top_k=np.int64(5)), with_sampling(top_k=5)),
        ("chat_request", with_sampling(min_p=np.float32(0.5)), with_sampling(min_p=0.5)),
        (
            "chat_request",
            altered(CHAT, persona=altered(Persona(), mode="chat")),
            altered(CHAT, persona=Persona(mode=Mode.CHAT)),
        ),
        ("completion_request", *[CompletionRequest(model=None, prompts=("x", (1, 2)), limits=Limits(n=2))] * 2),
        ("prompt_tokens", [1, np.int32(2)], (1, 2)),
        ("prompt_tokens", np.array([1, 2]).tolist(), (1, 2)),
        ("token_count", np.int64(7), 7),
        ("reply_text", Role.USER, "user"),
    ],
)
def test_what_can_only_mean_one_thing_is_read_as_that(hook: str, given: object, read: object) -> None:
    made = returned(hook, given)
    assert made == read
    assert type(made) is type(read)


def test_what_was_known_before_is_not_looked_at_again() -> None:
    looked: list[str] = []

    class Watched(dict[str, Any]):
        def items(self) -> Any:
            looked.append("items")
            return super().items()

    known = altered(CHAT, template_arguments=Watched(a=1))
    assert returned("chat_request", replace(known, limits=Limits(n=2)), known=known).limits.n == 2
    assert not looked
    returned("chat_request", replace(known, template_arguments=Watched(b=2)), known=known)
    assert looked == ["items"]


def test_a_function_of_the_program_itself_is_named_by_its_own_name() -> None:
    def louder() -> None: ...

    function: Callable[..., Any] = louder
    with pytest.raises(ExtensionFailed, match=r"The hook .*louder returned"):
        checked("reply_text", function, None)
