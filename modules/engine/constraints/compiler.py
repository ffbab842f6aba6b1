"""Constraints → matchers: compiled once, cached, and refused with a reason if not enforceable.

Source of the engine behind it: llguidance, https://github.com/guidance-ai/llguidance
"""

import contextlib
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeAlias, TypeVar

from llguidance import LLMatcher, LLParserLimits, LLTokenizer, regex_to_lark

from modules.engine.constraints.failures import Unenforceable
from modules.engine.constraints.gbnf import gbnf_to_lark
from modules.engine.constraints.grammar_matcher import GrammarMatcher
from modules.engine.constraints.json_schema import read_schema
from modules.engine.constraints.lark import strict_lark
from modules.engine.constraints.matcher import Guide
from modules.engine.constraints.vocabulary import Vocabulary, byte_tokenizer, grammar_tokenizer
from modules.engine.types import Constraint, Generation
from modules.errors import BadRequest

_Key: TypeAlias = tuple[str, str, bool]
_Made = TypeVar("_Made")
# Clients send the same few schemas again and again.
_REMEMBERED: Final = 32
# What a client may wait before its first token; most schemas take a few milliseconds.
_SECONDS: Final = 1.5
# Waited for in slices, so that a process that was suspended adds only one of them.
_SLICE_SECONDS: Final = 0.05
# Compiling must not slow down the thread that steps the model.
_NICENESS: Final = 10
# Longer ones take llguidance seconds and gigabytes.
_MAX_REGEX: Final = 128 * 1024
# llguidance repeats the schema in its messages.
_REASON_LENGTH: Final = 300
_STATE: Final = "<state>"


class Constraints:
    """The grammars of one model. Every method may be called from any thread; only `prepare` takes long.

    The grammar tokenizer is made for the first constraint, since most models never see one.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        # Held for as long as it takes to look something up, never while anything is made.
        self._lock = threading.Lock()
        self._matchers: OrderedDict[_Key, LLMatcher] = OrderedDict()
        self._coming: dict[_Key, Future[LLMatcher]] = {}
        self._making_tokenizer = threading.Lock()
        self._tokenizer: LLTokenizer | None = None

    def is_prepared(self, generation: Generation) -> bool:
        """Whether `prepare` would return at once."""
        if generation.constraint is None:
            return True
        with self._lock:
            return _key(generation.constraint, generation) in self._matchers

    def prepare(self, generation: Generation) -> Guide | None:
        """The guide of one reply; None where nothing has to be guided. A constraint that is new is compiled, once for
        all who ask for it at the same time.

        Raises BadRequest, within two seconds, for a constraint that cannot be enforced.
        """
        constraint, answer = generation.constraint, None
        if constraint is not None:
            matcher = self._matcher(constraint, _key(constraint, generation))
            answer = GrammarMatcher(self._vocabulary, matcher.deep_copy())
        thought = generation.thought
        if answer is None and (thought is None or thought.budget is None):
            return None
        return Guide(self._vocabulary, thought, answer)

    def _matcher(self, constraint: Constraint, key: _Key) -> LLMatcher:
        try:
            return self._known_or_made(constraint, key)
        except Unenforceable as error:
            raise BadRequest(
                f"'{constraint.param}' cannot be enforced: {error.reason}", param=constraint.param
            ) from error

    def _known_or_made(self, constraint: Constraint, key: _Key) -> LLMatcher:
        with self._lock:
            known = self._matchers.get(key)
            if known is not None:
                self._matchers.move_to_end(key)
                return known
            coming = self._coming.get(key)
            is_mine = coming is None
            if coming is None:
                coming = self._coming[key] = Future()
        if is_mine:
            self._make(constraint, key, coming)
        return coming.result()

    def _make(self, constraint: Constraint, key: _Key, coming: "Future[LLMatcher]") -> None:
        """Fulfils `coming`, whatever happens."""
        try:
            made = self._compiled(constraint, markers_are_tokens=key[2])
        except BaseException as failure:  # noqa: BLE001 - it belongs to all who wait
            with self._lock:
                del self._coming[key]
            coming.set_exception(failure)
            return
        with self._lock:
            del self._coming[key]
            self._matchers[key] = made
            while len(self._matchers) > _REMEMBERED:
                self._matchers.popitem(last=False)
        coming.set_result(made)

    def _compiled(self, constraint: Constraint, *, markers_are_tokens: bool) -> LLMatcher:
        allowance = _Allowance()
        grammar = allowance.spend(lambda: _grammar(constraint, self._markers() if markers_are_tokens else {}))
        if constraint.kind in ("json_schema", "regex"):
            # What is wrong with it shows in the smallest vocabulary too, before the model's own is ready.
            _checked(allowance.spend(lambda: _tried(byte_tokenizer(), grammar)))
        tokenizer = self._grammar_tokenizer()
        return _checked(allowance.spend(lambda: _tried(tokenizer, grammar)))

    def _grammar_tokenizer(self) -> LLTokenizer:
        with self._making_tokenizer:
            if self._tokenizer is None:
                self._tokenizer = grammar_tokenizer(self._vocabulary)
            return self._tokenizer

    def _markers(self) -> dict[str, int]:
        """The texts of tokens that print nothing."""
        vocabulary = self._vocabulary
        hidden = (
            token
            for token in range(vocabulary.size)
            if token not in vocabulary.end_ids and not vocabulary.printed(token)
        )
        return {name: token for token in hidden if (name := vocabulary.shown(token).decode("utf-8", "ignore"))}


def _grammar(constraint: Constraint, markers: dict[str, int]) -> str:
    """What llguidance compiles."""
    text = constraint.text
    match constraint.kind:
        case "json_schema":
            return _from_schema(text)
        case "regex":
            return f"start: /{_regex(text)}/"
        case "lark":
            return strict_lark(text, markers)
        case "gbnf":
            return gbnf_to_lark(text)
    raise Unenforceable(f"constraints of kind {constraint.kind!r} are unknown.")


def _from_schema(text: str) -> str:
    schema = read_schema(text)
    try:
        return str(LLMatcher.grammar_from_json_schema(schema))
    except ValueError as error:
        raise Unenforceable(_reason(str(error))) from error


def _regex(pattern: str) -> str:
    """Digits are ASCII, as everybody means who asks for \\d."""
    if len(pattern) > _MAX_REGEX:
        raise Unenforceable(f"The regular expression is longer than {_MAX_REGEX} characters.")
    try:
        return str(regex_to_lark(pattern, use_ascii="d"))
    except ValueError as error:
        raise Unenforceable(_reason(str(error))) from error


def _key(constraint: Constraint, generation: Generation) -> _Key:
    """Control tokens are texts that a grammar may name, where the reply shows them."""
    return constraint.kind, constraint.text, constraint.kind == "lark" and not generation.skip_special_tokens


class _Allowance:
    """The time that one constraint may take, counted in slices, each of which passes only while this process runs: one
    that was stopped in between is given its time back."""

    def __init__(self) -> None:
        self._slices = round(_SECONDS / _SLICE_SECONDS)

    def spend(self, act: Callable[[], _Made]) -> _Made:
        """What `act` returns, on a thread of its own, because llguidance cannot be interrupted: what takes too long is
        left behind."""
        made: Future[_Made] = Future()
        threading.Thread(target=_fulfil, args=(made, act), name="compiler", daemon=True).start()
        while self._slices:
            with contextlib.suppress(TimeoutError):
                return made.result(_SLICE_SECONDS)
            self._slices -= 1
        raise Unenforceable("It is too complex: reading it takes too long. Make it simpler.")


def _fulfil(made: "Future[_Made]", act: Callable[[], _Made]) -> None:
    """Replies that are being generated go first, where a thread can be told to come second."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    try:
        made.set_result(act())
    except BaseException as failure:  # noqa: BLE001 - raised to the caller that waits
        made.set_exception(failure)


def _checked(matcher: LLMatcher) -> LLMatcher:
    if matcher.is_error():
        raise Unenforceable(_reason(matcher.get_error()))
    return matcher


def _tried(tokenizer: LLTokenizer, grammar: str) -> LLMatcher:
    """The first masks show what only turns up in use: that nothing matches, or too much may come next."""
    matcher = LLMatcher(tokenizer, grammar, log_level=0, limits=_limits())
    if matcher.is_error():
        return matcher
    trial = matcher.deep_copy()
    trial.compute_bitmask()
    trial.consume_tokens(trial.compute_ff_tokens())
    if not trial.is_stopped():
        trial.compute_bitmask()
    return trial if trial.is_error() else matcher


def _limits() -> LLParserLimits:
    """Wide enough for objects with thousands of optional properties, of which any may come next."""
    return LLParserLimits(max_items_in_row=20_000, step_max_items=200_000, verbose_errors=False)


def _reason(error: str) -> str:
    error = error.replace("Unimplemented keys:", "There is no way here to enforce the keywords")
    words = " ".join(error.split(_STATE, maxsplit=1)[0].split())
    return words[:_REASON_LENGTH].rstrip(". ") + "."
