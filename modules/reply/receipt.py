"""What a reply cost and what it depends on: its receipt."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from modules.engine.types import Usage
from modules.events import Done, Event, ReplyFacts, Started


class ReceiptNotes:
    """Takes in the events of a reply; `body` is what they have come to. Private texts are in it as digests only."""

    def __init__(self) -> None:
        self._started: Started | None = None
        self._usages: list[Usage] = []

    def note(self, event: Event) -> None:
        match event:
            case Started():
                self._started = event
            case Done():
                self._usages.append(event.usage)

    def body(self, ignored: Sequence[str]) -> dict[str, Any]:
        started = self._started
        facts = started.facts if started else None
        return {
            "model": {"name": started.model if started else "", **_model(facts)},
            "prompt": _prompt(facts, self._usages),
            "completion": _completion(self._usages),
            "milliseconds": _milliseconds(self._usages),
            "constraint": facts.constraint if facts else None,
            "ignored": list(ignored),
            "repairs": list(started.repairs) if started else [],
            "seeds": list(facts.seeds) if facts else [],
            "sampling": asdict(facts.sampling) | {"seed": facts.seeds[0]} if facts else None,
            "settings": dict(facts.replay) if facts else {},
            "replay": _replay(facts, self._usages),
        }


def _model(facts: ReplyFacts | None) -> dict[str, Any]:
    return {
        "fingerprint": (facts.model or None) if facts else None,
        "template_sha256": (facts.template or None) if facts else None,
    }


def _prompt(facts: ReplyFacts | None, usages: Sequence[Usage]) -> dict[str, Any]:
    """Of several choices each has its own share of the prompt."""
    cached, disk, shared, moved = (
        sum(getattr(usage, f"{name}_tokens") for usage in usages) for name in ("cached", "disk", "shared", "moved")
    )
    tokens = sum(usage.prompt_tokens for usage in usages)
    return {
        "sha256": list(facts.prompts) if facts else [],
        "tokens": tokens,
        "computed": tokens - cached,
        "ram": cached - disk - shared - moved,
        "disk": disk,
        "shared": shared,
        "moved": moved,
    }


def _completion(usages: Sequence[Usage]) -> dict[str, int]:
    accepted, rejected = sum(u.accepted_tokens for u in usages), sum(u.rejected_tokens for u in usages)
    return {
        "tokens": sum(usage.completion_tokens for usage in usages),
        "reasoning": sum(usage.reasoning_tokens for usage in usages),
        "drafted": accepted + rejected,
        "accepted": accepted,
        "forced": sum(usage.forced_tokens for usage in usages),
    }


def _replay(facts: ReplyFacts | None, usages: Sequence[Usage]) -> dict[str, Any]:
    """Whether a lone reply is sure to come again, and what speaks against it: what depends on measured times or on earlier
    requests changes the shapes of what is computed together, and so its last digits."""
    if facts is None or not facts.replay:
        return {"is_exact": None, "because": []}
    is_cut_alike = dict(facts.replay).get("flash_attn") == "off"
    reasons = {
        "choices": len(usages) > 1,
        "cached": any(usage.cached_tokens for usage in usages),
        "slices": any(usage.prompt_steps > 1 for usage in usages) and not is_cut_alike,
        "drafted": any(usage.accepted_tokens + usage.rejected_tokens for usage in usages),
    }
    because = [reason for reason, counts in reasons.items() if counts]
    return {"is_exact": not because, "because": because}


def _milliseconds(usages: Sequence[Usage]) -> dict[str, float]:
    """Of the choice that took longest."""
    return {
        name: round(max((getattr(usage, f"{name}_ms") for usage in usages), default=0.0), 3)
        for name in ("queue", "prefill", "decode")
    }
