"""What llama-server takes under other names, and what it is refused for."""

from typing import Any

import pytest

from modules.chatmodels.remote.bodies import chat_body, completion_body
from modules.chatmodels.remote.dialects import Dialect, dialect_of, lacking
from modules.engine.types import Constraint
from modules.errors import NotSupported
from modules.messages import Message, Role, TextPart, ToolChoice, ToolSpec, ToolUse, text_message
from modules.requests import ChatRequest, CompletionRequest, Limits
from modules.sampling import Sampling

LLAMA = Dialect.LLAMA_SERVER
MESSAGES = (text_message(Role.USER, "hi"),)
TOOLS = (ToolSpec("one"), ToolSpec("two"))


def body(dialect: Dialect = LLAMA, **fields: Any) -> dict[str, Any]:
    return chat_body(ChatRequest(model="m", messages=MESSAGES, **fields), "m", dialect)


@pytest.mark.parametrize(
    ("sampling", "sent"),
    [
        (Sampling(repetition_penalty=1.5, repetition_penalty_range=64), {"repeat_penalty": 1.5, "repeat_last_n": 64}),
        (Sampling(mirostat_mode=2, mirostat_tau=4.0), {"mirostat": 2, "mirostat_tau": 4.0}),
        (
            Sampling(dynamic_temperature=True, dynatemp_low=0.5, dynatemp_high=1.5, dynatemp_exponent=2.0),
            {"temperature": 1.0, "dynatemp_range": 0.5, "dynatemp_exponent": 2.0},
        ),
        (Sampling(top_k=5, min_p=0.1, dry_multiplier=0.8), {"top_k": 5, "min_p": 0.1, "dry_multiplier": 0.8}),
        (Sampling(tfs=0.5, smoothing_factor=1.0), {}),
    ],
)
def test_sampling_has_its_names(sampling: Sampling, sent: dict[str, Any]) -> None:
    written = body(sampling=sampling)
    assert {name: value for name, value in written.items() if name not in {"model", "messages"}} == sent


def test_grammars_of_its_own_kind_are_sent_and_others_refused() -> None:
    assert body(constraint=Constraint(kind="gbnf", text="root ::= x"))["grammar"] == "root ::= x"
    assert "response_format" in body(constraint=Constraint(kind="json_schema", text="{}"))
    for kind in ("regex", "lark"):
        constraint = Constraint(kind=kind, text="a", param="guided_regex")
        with pytest.raises(NotSupported, match="GBNF") as refused:
            body(constraint=constraint)
        assert refused.value.param == "guided_regex"
        with pytest.raises(NotSupported):
            completion_body(CompletionRequest(model="m", prompts=("a",), constraint=constraint), "m", LLAMA)
        assert "structured_outputs" in body(Dialect.USUAL, constraint=constraint)


def test_a_named_tool_is_the_only_one_and_required() -> None:
    choice = ToolChoice(use=ToolUse.REQUIRED, names=("two",))
    written = body(tools=TOOLS, tool_choice=choice)
    assert written["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in written["tools"]] == ["two"]
    assert body(Dialect.USUAL, tools=TOOLS, tool_choice=choice)["tool_choice"]["function"] == {"name": "two"}


@pytest.mark.parametrize(
    ("entry", "dialect"),
    [
        ({"owned_by": "llamacpp"}, LLAMA),
        ({"owned_by": "vllm"}, Dialect.VLLM),
        ({"owned_by": "sglang"}, Dialect.SGLANG),
        ({"owned_by": "organization_owner"}, Dialect.LM_STUDIO),
        ({"owned_by": "library"}, Dialect.OLLAMA),
        ({"owned_by": "system"}, Dialect.OPENAI),
        ({"owned_by": "user", "type": "chat", "status": "loaded"}, Dialect.OURS),
        ({"owned_by": "user"}, Dialect.USUAL),
        ({"owned_by": ["vllm"]}, Dialect.USUAL),
        ({}, Dialect.USUAL),
    ],
)
def test_servers_are_known_by_their_lists(entry: dict[str, Any], dialect: Dialect) -> None:
    assert dialect_of({"id": "m", **entry}) is dialect


@pytest.mark.parametrize(
    ("dialect", "kind", "sent"),
    [
        (Dialect.VLLM, "regex", {"structured_outputs": {"regex": "a"}}),
        (Dialect.VLLM, "gbnf", {"structured_outputs": {"grammar": "a"}}),
        (Dialect.SGLANG, "regex", {"regex": "a"}),
        (Dialect.SGLANG, "gbnf", {"ebnf": "a"}),
        (Dialect.SGLANG, "lark", None),
        (Dialect.OLLAMA, "regex", None),
        (Dialect.LM_STUDIO, "gbnf", None),
        (Dialect.OPENAI, "lark", None),
    ],
)
def test_constraints_are_sent_in_a_servers_words_or_refused(
    dialect: Dialect, kind: str, sent: dict[str, Any] | None
) -> None:
    constraint = Constraint(kind=kind, text="a", param="guided_regex")
    if sent is None:
        with pytest.raises(NotSupported, match=f"{dialect}, takes a JSON schema"):
            body(dialect, constraint=constraint)
    else:
        assert sent.items() <= body(dialect, constraint=constraint).items()
    schema = body(dialect, constraint=Constraint(kind="json_schema", text="{}"))
    assert schema["response_format"]["json_schema"]["schema"] == {}


def test_samplers_that_a_server_lacks_are_named_and_not_sent() -> None:
    sampling = Sampling(top_k=5, min_p=0.1, repetition_penalty=1.5, tfs=0.5, logit_bias={7: 1.0}, seed=3)
    sent = {
        Dialect.VLLM: {"top_k", "min_p", "repetition_penalty", "logit_bias", "seed"},
        Dialect.LM_STUDIO: {"top_k", "repeat_penalty", "logit_bias", "seed"},
        Dialect.OLLAMA: {"seed"},
        Dialect.OPENAI: {"logit_bias", "seed"},
    }
    for dialect, names in sent.items():
        assert body(dialect, sampling=sampling).keys() - {"model", "messages"} == names
        assert "tfs" in lacking(dialect)
        assert {"seed", "temperature", "do_sample"}.isdisjoint(lacking(dialect))
    assert lacking(Dialect.USUAL) == lacking(Dialect.OURS) == ()


def test_length_goes_by_the_name_that_a_server_takes() -> None:
    assert body(Dialect.OPENAI, limits=Limits(max_tokens=5))["max_completion_tokens"] == 5
    assert body(Dialect.VLLM, limits=Limits(max_tokens=5))["max_tokens"] == 5
    assert "max_tokens" not in body(Dialect.VLLM)
    text = CompletionRequest(model="m", prompts=("a",))
    assert completion_body(text, "m", Dialect.VLLM)["max_tokens"] is None
    assert completion_body(text, "m", Dialect.OURS)["auto_max_new_tokens"] is True


def test_thoughts_go_by_the_name_that_a_server_reads() -> None:
    thought = Message(role=Role.ASSISTANT, parts=(TextPart("4"),), reasoning="2 and 2")
    written = {dialect: chat_body(ChatRequest(model="m", messages=(thought,)), "m", dialect) for dialect in Dialect}
    names = {dialect: set(each["messages"][0]) - {"role", "content"} for dialect, each in written.items()}
    assert names.pop(Dialect.OLLAMA) == {"reasoning"}
    assert all(each == {"reasoning_content"} for each in names.values())
