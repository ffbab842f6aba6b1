"""Twelve clients at once, each of its own kind: streams go on, nobody starves, nothing is read twice. Counted in steps and
in what they compute, with the pace that measured costs would give."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Final

import pytest

from modules.backends.kv.fair_shares import OLDEST_SHARE
from modules.backends.kv.plan import StepPlan
from modules.backends.kv.prefill_budget import PrefillBudget
from tests.backends.kv.cache_model import CacheModel, Play, made, own

CONTEXT: Final = 8192
# Milliseconds of a step, about those of a small model on two cores.
STEP, EACH_DECODED, EACH_READ = 18.0, 2.0, 2.4
MOST_GAP: Final = 12.0
SHARED: Final = 800


@dataclass(slots=True)
class Visit:
    """A request: when it came, in prompt tokens read until then, and what was being read before it."""

    play: Play
    arrived: int
    prompt: int
    older: int
    last: float | None = None
    first_at: int | None = None
    leaves: int | None = None


@dataclass(slots=True)
class Client:
    """`ask` gives prompt and length of the next request, and after how many steps it is hung up, if at all."""

    ask: "Callable[[Client, random.Random], tuple[list[int], int, int | None]]"
    number: int
    asked: int = 0
    history: list[int] = field(default_factory=list)
    visit: Visit | None = None

    def fresh(self, count: int) -> list[int]:
        """Tokens that nobody had before."""
        self.asked += 1
        return own(10_000_000 * (self.number + 1) + 10_000 * self.asked, count)


def short(client: Client, rng: random.Random) -> tuple[list[int], int, int | None]:
    return client.fresh(rng.randrange(20, 60)), rng.randrange(10, 60), None


def long(client: Client, rng: random.Random) -> tuple[list[int], int, int | None]:
    return client.fresh(rng.randrange(1500, CONTEXT - 100)), 30, None


def form(client: Client, rng: random.Random) -> tuple[list[int], int, int | None]:
    return client.fresh(120), 80, None


def tools(client: Client, rng: random.Random) -> tuple[list[int], int, int | None]:
    """A conversation with tools that all such clients share."""
    if len(client.history) > CONTEXT - 1000:
        client.history = []
    client.history = [*(client.history or own(0, SHARED)), *client.fresh(rng.randrange(40, 300))]
    return client.history, 40, None


def leaves(client: Client, rng: random.Random) -> tuple[list[int], int, int | None]:
    return client.fresh(rng.choice((50, 2000))), 500, rng.randrange(1, 40)


KINDS: Final = (short, short, short, short, long, long, form, form, tools, tools, leaves, leaves)


@dataclass(slots=True)
class Day:
    """What happened until now. `gaps` of each stream are in milliseconds; `waits` are what was read for others and
    itself before its first token, by what it might have been."""

    model: CacheModel
    clients: list[Client]
    rng: random.Random
    budget: PrefillBudget = field(default_factory=lambda: PrefillBudget(512))
    gaps: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    now: float = 0.0
    jobs: int = 0
    said: int = 0
    read: int = 0
    steps: int = 0

    def step(self) -> None:
        for client in self.clients:
            if client.visit is None:
                self._arrive(client)
            elif client.visit.leaves == 0:
                self.model.drop(client.visit.play.slot.job_id)
                client.visit = None
        scheduler = self.model.scheduler
        budget = self.budget.slice_tokens(decoding=scheduler.decoding, prefilling=scheduler.prefilling)
        self.model.world = replace(self.model.world, budget=budget)
        before = {job_id: play.said for job_id, play in self.model.plays.items()}
        streaming = [slot.job_id for slot in scheduler.decoding_slots]
        plan = self.model.step()
        milliseconds = cost(plan)
        self.now += milliseconds
        self.steps += 1
        self.read += plan.read
        self.budget.learn(seconds=milliseconds / 1e3, decoded=plan.decoded, read=plan.read)
        if not plan.read:
            self.plain.append(milliseconds)
        for client in self.clients:
            if client.visit is not None:
                self._look_at(client, client.visit, before, streaming)

    def _arrive(self, client: Client) -> None:
        prompt, length, patience = client.ask(client, self.rng)
        older = sum(play.slot.pending for play in self.model.plays.values() if not play.slot.is_decoding)
        play = self.model.add(self.jobs, prompt, length)
        self.jobs += 1
        client.visit = Visit(play, self.read, len(prompt), older, leaves=patience)

    def _look_at(self, client: Client, visit: Visit, before: dict[int, int], streaming: list[int]) -> None:
        job_id = visit.play.slot.job_id
        new = visit.play.said - before.get(job_id, 0)
        assert new > 0 or job_id not in streaming, "a stream had to wait for a step"
        self.said += new
        if new:
            if visit.last is None:
                self._note_first(client, visit)
            else:
                self.gaps.append(self.now - visit.last)
            visit.last = self.now
        if visit.leaves is not None:
            visit.leaves -= 1
        if job_id in self.model.finished:
            client.history = list(visit.play.slot.tokens) if client.ask is tools else []
            client.visit = None

    def _note_first(self, client: Client, visit: Visit) -> None:
        slot = visit.play.slot
        # Prompts that were there before, whole, and as much as others may have read of theirs beside.
        fair = (OLDEST_SHARE + 1) * (visit.prompt + visit.older)
        self.waits.append((self.read - visit.arrived) / fair)
        if client.ask is tools and client.asked > 1 and len(slot.tokens) > SHARED + 400:
            self.again.append((slot.prompt_length - slot.cached) / 300)


def cost(plan: StepPlan) -> float:
    drafted = sum(len(piece.draft) for piece in plan.slices)
    return STEP + EACH_DECODED * (plan.decoded + drafted) + EACH_READ * plan.read


@pytest.mark.parametrize(
    ("steps", "seed"),
    [(150, 1), *(pytest.param(2500, seed, marks=[pytest.mark.extended, pytest.mark.timeout(540)]) for seed in (2, 3))],
)
def test_twelve_clients_of_all_kinds(steps: int, seed: int) -> None:
    model = made(cells=len(KINDS) * CONTEXT, parallel=len(KINDS), spare=16, host_cache=0, draft=2)
    day = Day(model, [Client(ask, number) for number, ask in enumerate(KINDS)], random.Random(seed))
    for _ in range(steps):
        day.step()
    usual = median(day.plain) if day.plain else STEP + EACH_DECODED * len(KINDS)
    assert max(day.gaps) <= MOST_GAP * usual
    assert max(day.waits) <= 1
    assert model.preemptions == 0
    # Of a conversation only what is new is read, and the last token of what was said.
    assert max(day.again, default=0.0) <= 1.05
    # Each step of ours computes a token of every stream: what the streams do not say is read for others.
    assert day.said >= 4 * steps
    assert len(day.waits) >= len(KINDS)
