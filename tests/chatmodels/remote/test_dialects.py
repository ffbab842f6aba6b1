"""What llama-server takes under other names, and what it is refused for."""

from typing import Any

import pytest

from modules.chatmodels.remote.bodies import chat_body, completion_body
from modules.chatmodels.remote.dialects import Dialect, dialect_of
from modules.engine.types import Constraint
from modules.errors import NotSupported
from modules.messages import Role, ToolChoice, ToolSpec, ToolUse, text_message
from modules.requests import ChatRequest, CompletionRequest
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


def test_it_is_known_by_its_list() -> None:
    assert dialect_of({"id": "m", "owned_by": "llamacpp"}) is LLAMA
    assert dialect_of({"id": "m", "owned_by": "vllm"}) is dialect_of({"id": "m"}) is Dialect.USUAL
