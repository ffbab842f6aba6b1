"""What the settings say of services, extensions and replies under way. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry

from modules.extend.contributions import ServiceState, ServiceStatus
from modules.extend.extensions import ExtensionInfo
from modules.settings.values import API_EXTENSION
from modules.ui.page.languages import text

_STATUS: Final = {
    ServiceStatus.STOPPED: "Stopped",
    ServiceStatus.STARTING: "Starting …",
    ServiceStatus.RUNNING: "Running",
    ServiceStatus.FAILED: "Failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Since the program started, on the page and through the API."""

    running: int
    ended: int
    prompt_tokens: int
    cached_tokens: int
    reply_tokens: int
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    forced_tokens: int = 0


def counts_of(registry: CollectorRegistry) -> Counts:
    samples = [sample for metric in registry.collect() for sample in metric.samples]

    def total(name: str) -> int:
        return round(sum(sample.value for sample in samples if sample.name == name))

    return Counts(
        running=total("llm_requests_running"),
        ended=total("llm_choices_total"),
        prompt_tokens=total("llm_prompt_tokens_total"),
        cached_tokens=total("llm_cached_tokens_total"),
        reply_tokens=total("llm_completion_tokens_total"),
        drafted_tokens=total("llm_draft_tokens_total"),
        accepted_tokens=round(registry.get_sample_value("llm_draft_tokens_total", {"outcome": "accepted"}) or 0),
        forced_tokens=total("llm_forced_tokens_total"),
    )


def counts_shown(counts: Counts) -> str:
    now = (
        text("No request is running.")
        if not counts.running
        else _number(counts.running, "request", "requests") + " running."
    )
    tokens = f"{counts.prompt_tokens:,} prompt tokens ({counts.cached_tokens:,} cached)"
    ended = _number(counts.ended, "reply", "replies")
    return f"{now} Since the start: {ended}, {tokens}, {counts.reply_tokens:,} completion tokens{_speculation(counts)}."


def _speculation(counts: Counts) -> str:
    drafted = f"{counts.accepted_tokens:,} of {counts.drafted_tokens:,} drafted tokens accepted"
    forced = f"{counts.forced_tokens:,} forced by constraints"
    shown = [*([drafted] if counts.drafted_tokens else []), *([forced] if counts.forced_tokens else [])]
    return f" ({', '.join(shown)})" if shown else ""


def status_shown(state: ServiceState) -> str:
    status = text(_STATUS[state.status])
    return f"{status}: {state.message}" if state.message else status


def extension_choices(extensions: Sequence[ExtensionInfo], flagged: Sequence[str]) -> list[tuple[str, str]]:
    """Label and name of each; `flagged` are those that start in any case, because a flag says so."""
    return [(_label(each, is_flagged=each.name in flagged), each.name) for each in extensions]


def ordered(chosen: Sequence[str], before: Sequence[str]) -> list[str]:
    """The chosen ones, in the order they had: extensions are applied in it."""
    return [*(name for name in before if name in chosen), *(name for name in chosen if name not in before)]


def _label(extension: ExtensionInfo, *, is_flagged: bool) -> str:
    shown = "openai (the API)" if extension.name == API_EXTENSION else extension.name
    if extension.failure:
        return f"{shown}: skipped, {extension.failure}"
    remarks = [*(["active"] if extension.is_active else []), *(["by a flag"] if is_flagged else [])]
    return f"{shown}: {' '.join(remarks)}" if remarks else shown


def _number(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
