"""Keeps replies from ending early: no chat reply has fewer tokens than `long_replies-min_length`."""

from dataclasses import dataclass, replace

from modules.extend.host import Host
from modules.hooks import Turn
from modules.requests import ChatRequest


@dataclass(frozen=True, slots=True)
class LongReplies:
    min_length: int = 120


def setup(host: Host) -> None:
    shortest = max(0, host.settings(LongReplies).min_length)

    @host.hook
    def chat_request(request: ChatRequest, turn: Turn) -> ChatRequest:
        """A reply that is to be shorter by request stays so, and so does one that has to match a format."""
        limits = request.limits
        most = shortest if limits.max_tokens is None else min(shortest, limits.max_tokens)
        if request.constraint is not None or request.tools:
            return request
        return replace(request, limits=replace(limits, min_tokens=max(limits.min_tokens, most)))
