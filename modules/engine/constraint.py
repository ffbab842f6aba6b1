"""Constraints → guides: compiled once, remembered, and refused with a reason when they cannot be enforced.

Source of the engine behind it: llguidance, https://github.com/guidance-ai/llguidance
"""

import threading
from collections import OrderedDict
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from llguidance import LLMatcher, LLParserLimits, LLTokenizer, regex_to_lark

from modules.engine.constraint_answer import Answer
from modules.engine.constraint_failures import Unenforceable
from modules.engine.constraint_gbnf import gbnf_to_lark
from modules.engine.constraint_guide import Guide
from modules.engine.constraint_lark import strict_lark
from modules.engine.constraint_schema import read_schema
from modules.engine.constraint_vocabulary import Vocabulary, byte_tokenizer, grammar_tokenizer
from modules.engine.types import Constraint, Generation
from modules.errors import BadRequest

_Key: TypeAlias = tuple[str, str, bool]
_REMEMBERED: Final = 32
_SECONDS: Final = 1.5
_MAX_REGEX: Final = 128 * 1024
_REASON_LENGTH: Final = 300
_STATE: Final = "<state>"


class Constraints:
    """The grammars of one model. Every method may be called from any thread.

    The grammar tokenizer is made for the first constraint, since most models never see one.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._tokenizer: LLTokenizer | None = None
        self._matchers: OrderedDict[_Key, LLMatcher] = OrderedDict()

    def prepare(self, generation: Generation) -> None:
        """Compile the constraint, if there is one and it is new. Takes up to a few seconds.

        Raises BadRequest, within two seconds, for a constraint that cannot be enforced.
        """
        if generation.constraint is not None:
            self._matcher(generation.constraint, shows_control_tokens=not generation.skip_special_tokens)

    def guide(self, generation: Generation) -> Guide | None:
        """None where nothing has to be guided. Quick after `prepare`; raises what that raises."""
        constraint, answer = generation.constraint, None
        if constraint is not None:
            matcher = self._matcher(constraint, shows_control_tokens=not generation.skip_special_tokens)
            answer = Answer(self._vocabulary, matcher.deep_copy())
        thought = generation.thought
        if answer is None and (thought is None or thought.budget is None):
            return None
        return Guide(self._vocabulary, thought, answer)

    def _matcher(self, constraint: Constraint, *, shows_control_tokens: bool) -> LLMatcher:
        key = (constraint.kind, constraint.text, shows_control_tokens and constraint.kind == "lark")
        with self._lock:
            known = self._matchers.get(key)
            if known is None:
                known = self._matchers[key] = self._compiled(constraint, markers_are_tokens=key[2])
            self._matchers.move_to_end(key)
            while len(self._matchers) > _REMEMBERED:
                self._matchers.popitem(last=False)
            return known

    def _compiled(self, constraint: Constraint, *, markers_are_tokens: bool) -> LLMatcher:
        try:
            grammar = _grammar(constraint, self._markers() if markers_are_tokens else {})
            if constraint.kind in ("json_schema", "regex"):
                _compile(byte_tokenizer(), grammar)
            if self._tokenizer is None:
                self._tokenizer = grammar_tokenizer(self._vocabulary)
            return _compile(self._tokenizer, grammar)
        except Unenforceable as error:
            raise BadRequest(
                f"'{constraint.param}' cannot be enforced: {error.reason}", param=constraint.param
            ) from error

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


def _compile(tokenizer: LLTokenizer, grammar: str) -> LLMatcher:
    """On a thread of its own, because llguidance cannot be interrupted: what takes too long is left behind."""
    made: SimpleQueue[LLMatcher] = SimpleQueue()
    threading.Thread(target=lambda: made.put(_tried(tokenizer, grammar)), daemon=True).start()
    try:
        matcher = made.get(timeout=_SECONDS)
    except Empty:
        raise Unenforceable("It is too complex: reading it takes too long. Make it simpler.") from None
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
