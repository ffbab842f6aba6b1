"""Prometheus metrics of replies: counts, times and tokens. No texts."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from modules.engine.types import Usage
from modules.events import Content, Done, Event, Reasoning, ToolCallStart

# From a cached prompt to a long one on a slow machine.
_FIRST_TOKEN_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_REPLY_BUCKETS = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class ReplyMetrics:
    """Counts what passes through `counted`. `registry` is what an exporter reads."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self._running = Gauge("llm_requests_running", "Requests being answered.", registry=registry)
        self._ended = Counter("llm_choices", "Replies that ended, by reason.", ("finish_reason",), registry=registry)
        self._aborted = Counter("llm_requests_aborted", "Requests that failed or hung up.", registry=registry)
        self._prompt = Counter("llm_prompt_tokens", "Tokens of prompts.", registry=registry)
        self._cached = Counter("llm_cached_tokens", "Tokens of prompts that were cached.", registry=registry)
        self._from_disk = Counter(
            "llm_disk_cached_tokens", "Cached tokens of prompts that were read from files.", registry=registry
        )
        self._disk_hits = Counter(
            "llm_disk_cache_hits", "Replies whose prompt was in files, or a part of it.", registry=registry
        )
        self._completion = Counter("llm_completion_tokens", "Tokens of replies.", registry=registry)
        self._reasoning = Counter("llm_reasoning_tokens", "Tokens of replies that were thought.", registry=registry)
        self._drafted = Counter(
            "llm_draft_tokens", "Tokens that were drafted, by what became of them.", ("outcome",), registry=registry
        )
        self._forced = Counter(
            "llm_forced_tokens", "Tokens of replies that their constraint left no choice about.", registry=registry
        )
        self._first_token = Histogram(
            "llm_time_to_first_token_seconds",
            "From the request to the first token of its reply.",
            buckets=_FIRST_TOKEN_BUCKETS,
            registry=registry,
        )
        self._duration = Histogram(
            "llm_request_seconds", "From the request to its end.", buckets=_REPLY_BUCKETS, registry=registry
        )

    async def counted(self, events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """The same events, to their end; closes the source however that comes about."""
        started = time.monotonic()
        has_spoken = is_whole = False
        self._running.inc()
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Done):
                        self._finish(event)
                    elif not has_spoken and isinstance(event, Content | Reasoning | ToolCallStart):
                        has_spoken = True
                        self._first_token.observe(time.monotonic() - started)
                    yield event
            is_whole = True
        finally:
            self._running.dec()
            self._duration.observe(time.monotonic() - started)
            if not is_whole:
                self._aborted.inc()

    def _finish(self, done: Done) -> None:
        self._ended.labels(done.reason.value).inc()
        self._add(done.usage)

    def _add(self, usage: Usage) -> None:
        self._prompt.inc(usage.prompt_tokens)
        self._cached.inc(usage.cached_tokens)
        self._from_disk.inc(usage.disk_tokens)
        self._disk_hits.inc(usage.disk_tokens > 0)
        self._completion.inc(usage.completion_tokens)
        self._reasoning.inc(usage.reasoning_tokens)
        self._drafted.labels("accepted").inc(usage.accepted_tokens)
        self._drafted.labels("rejected").inc(usage.rejected_tokens)
        self._forced.inc(usage.forced_tokens)
