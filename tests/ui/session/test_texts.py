"""What the Session tab says."""

from pathlib import Path

import pytest

from modules.chat.metrics import ReplyMetrics
from modules.engine.types import Usage
from modules.errors import BadRequest
from modules.extend.contributions import ServiceState, ServiceStatus
from modules.extend.discovery import ExtensionOrigin
from modules.extend.extensions import ExtensionInfo
from modules.settings.option_values import OptionKind
from modules.settings.values import OPTIONS, Settings
from modules.ui.session.parameters import parameter_changes, parameters_in, parameters_text
from modules.ui.session.switches import SWITCHES, switches_of
from modules.ui.session.texts import Counts, counts_of, counts_shown, extension_choices, ordered, status_shown

STORED = {"mode": "chat", "gallery-items": 9, "gallery-open": True, "openai-debug": True, "other-x": 1}
NAMES = ["gallery", "openai"]


def extension(name: str, **values: object) -> ExtensionInfo:
    return ExtensionInfo(name=name, origin=ExtensionOrigin.USER, folder=Path(name), **values)  # type: ignore[arg-type]


def test_nothing_is_offered_that_opens_the_program_or_runs_code() -> None:
    never = {"listen", "share", "api", "public_api", "nowebui", "multi_user", "trust_remote_code", "model_swap"}
    assert never.isdisjoint(SWITCHES)
    assert all(OPTIONS[name].kind is OptionKind.SWITCH and OPTIONS[name].stored for name in SWITCHES)
    assert not any(OPTIONS[name].group == "API" for name in SWITCHES)


def test_switches_stand_as_the_settings_do() -> None:
    shown = {switch.name: switch.is_on for switch in switches_of(Settings(dark_theme=False, verbose=True))}
    assert (shown["dark_theme"], shown["verbose"], shown["show_controls"]) == (False, True, True)


def test_counts_begin_at_nothing() -> None:
    assert counts_of(ReplyMetrics().registry) == Counts(
        running=0, ended=0, prompt_tokens=0, cached_tokens=0, reply_tokens=0
    )


def test_counts_are_sentences() -> None:
    counts = Counts(running=1, ended=1200, prompt_tokens=34567, cached_tokens=8, reply_tokens=9)
    assert counts_shown(counts) == (
        "1 request running. Since the start: 1,200 replies, 34,567 prompt tokens (8 cached), 9 completion tokens."
    )


def test_what_was_drafted_and_forced_is_told_where_there_is_something() -> None:
    metrics = ReplyMetrics()
    metrics._add(Usage(5, 90, accepted_tokens=1200, rejected_tokens=300, forced_tokens=7))
    assert counts_shown(counts_of(metrics.registry)) == (
        "No request is running. Since the start: 0 replies, 5 prompt tokens (0 cached), 90 completion tokens "
        "(1,200 of 1,500 drafted tokens accepted, 7 forced by constraints)."
    )


def test_a_failure_is_told() -> None:
    state = ServiceState(name="openai", status=ServiceStatus.FAILED, message="Port 5000 is in use.")
    assert status_shown(state) == "Failed: Port 5000 is in use."
    assert status_shown(ServiceState(name="openai")) == "Stopped"


def test_extensions_say_how_they_are() -> None:
    found = [extension("a"), extension("b", is_active=True), extension("c", failure="it needs x."), extension("openai")]
    assert extension_choices(found, flagged=["b"]) == [
        ("a", "a"),
        ("b: active by a flag", "b"),
        ("c: skipped, it needs x.", "c"),
        ("openai (the API)", "openai"),
    ]


def test_extensions_keep_their_order() -> None:
    assert ordered(["new", "a", "c"], before=["c", "b", "a"]) == ["c", "a", "new"]


def test_parameters_are_what_no_setting_is() -> None:
    assert parameters_in(STORED, NAMES) == {"gallery-items": 9, "gallery-open": True}
    assert parameters_text({}) == ""


def test_what_is_left_out_is_taken_out() -> None:
    text = parameters_text(parameters_in(STORED, NAMES)).replace("gallery-open: true\n", "gallery-size: 3\n")
    assert parameter_changes(text, STORED, NAMES) == {"gallery-open": None, "gallery-items": 9, "gallery-size": 3}
    assert parameter_changes("", STORED, NAMES) == {"gallery-items": None, "gallery-open": None}


@pytest.mark.parametrize(
    "text", ["listen: true", "openai-debug: true", "other-x: 2", "gallery-x: [", "- a", "api_key: k"]
)
def test_nothing_else_can_be_written(text: str) -> None:
    with pytest.raises(BadRequest):
        parameter_changes(text, STORED, NAMES)
