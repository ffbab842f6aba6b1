"""Which tokens may come next in one reply: free reasoning first, then the constrained answer."""

from collections import deque
from collections.abc import Sequence

import numpy as np

from modules.engine.constraints.grammar_matcher import GrammarMatcher, Mask
from modules.engine.constraints.reasoning import ReasoningStart, Thinking
from modules.engine.constraints.vocabulary import Vocabulary
from modules.engine.types import Thought


class Guide:
    """Asked before each token of a reply, and told each one; `answer` None leaves the answer free.

    The answer begins right after the text that ends the thought, so a token in which that text is followed by more is
    refused when an answer is constrained. Where a thought is possible but not open, the reply's first tokens decide:
    they begin it, or satisfy the constraint.
    """

    def __init__(self, vocabulary: Vocabulary, thought: Thought | None, answer: GrammarMatcher | None) -> None:
        self._vocabulary = vocabulary
        self._thought = thought
        self._answer = answer
        self._opening: ReasoningStart | None = None
        self._thinking: Thinking | None = None
        self._forced: deque[int] = deque()
        self._answers_beside_opening = True
        self._overlong: list[int] | None = None
        if thought is not None and thought.end:
            self._begin(thought)

    @property
    def is_complete(self) -> bool:
        """True once the reply has to end where it is."""
        return self._is_answering and self._answer is not None and self._answer.is_complete

    @property
    def forced(self) -> int | None:
        """The one token that has to come next, whatever the model wants: the thought's budget is spent."""
        return self._forced[0] if self._forced else None

    def forced_answer(self) -> Sequence[int]:
        """The tokens that have to come next because the constraint allows no other text."""
        return self._answer.forced() if self._answer is not None and self._is_answering else ()

    def count_allowed(self, tokens: Sequence[int]) -> int:
        """How many of `tokens` could come next, one after the other; within a thought, all that may."""
        if self._answer is None or not self._is_answering:
            return len(tokens)
        return self._answer.count_allowed(tokens)

    @property
    def is_free(self) -> bool:
        """True when nothing is refused from here to the end of the reply."""
        return self._is_answering and self._answer is None

    def is_allowed(self, token: int) -> bool:
        if self._thinking is not None:
            return self._may_be_thought(token, self._thinking)
        if self._opening is not None and self._opening.is_continued_by(self._vocabulary.shown(token)):
            return True
        return self._may_be_answer(token)

    def mask(self) -> Mask:
        """`is_allowed` of every token at once; may leave out tokens that only spell a thought's beginning in an unusual
        way. Raises EngineFailed when the grammar cannot be followed."""
        if self._thinking is not None:
            return self._thought_mask(self._thinking)
        mask = self._answer_mask()
        if self._opening is not None:
            first = self._vocabulary.encode(self._opening.rest, special=True)[:1]
            mask[[token for token in first if self.is_allowed(token)]] = True
        return mask

    def accept(self, token: int) -> None:
        """`token` is part of the reply. Raises EngineFailed when the grammar cannot be followed any further."""
        if self._thinking is not None:
            self._accept_thought(token, self._thinking)
        elif self._opening is not None:
            self._accept_opening(token, self._opening)
        elif self._answer is not None:
            self._answer.accept(token)

    @property
    def _is_answering(self) -> bool:
        return self._opening is None and self._thinking is None

    def _begin(self, thought: Thought) -> None:
        if thought.is_open:
            self._think(thought)
        elif thought.start:
            self._opening = ReasoningStart(thought.start)

    def _think(self, thought: Thought) -> None:
        self._opening, self._thinking = None, Thinking(thought)
        self._force_end_if_spent(self._thinking)

    def _force_end_if_spent(self, thinking: Thinking) -> None:
        if thinking.is_spent and not self._forced and self._thought is not None:
            self._forced.extend(self._vocabulary.encode(self._thought.end, special=True))

    def _may_be_thought(self, token: int, thinking: Thinking) -> bool:
        if self._forced:
            return token == self._forced[0]
        if self._answer is None:
            return True
        return token not in self._vocabulary.end_ids and not thinking.rest_after_end(self._vocabulary.shown(token))

    def _may_be_answer(self, token: int) -> bool:
        return self._answer is None or (self._answers_beside_opening and self._answer.is_allowed(token))

    def _thought_mask(self, thinking: Thinking) -> Mask:
        mask = np.ones(self._vocabulary.size, dtype=np.bool_)
        if self._answer is not None:
            mask[[*self._vocabulary.end_ids, *self._overlong_ends(thinking)]] = False
        return mask

    def _overlong_ends(self, thinking: Thinking) -> list[int]:
        """Tokens that would end the thought and say more. To look through a vocabulary takes long: where the end has
        not begun, they are always the same."""
        if not thinking.is_ending and self._overlong is not None:
            return self._overlong
        shown = self._vocabulary.shown
        found = [token for token in range(self._vocabulary.size) if thinking.rest_after_end(shown(token))]
        self._overlong = self._overlong if thinking.is_ending else found
        return found

    def _answer_mask(self) -> Mask:
        if self._answer is None:
            return np.ones(self._vocabulary.size, dtype=np.bool_)
        if not self._answers_beside_opening:
            return np.zeros(self._vocabulary.size, dtype=np.bool_)
        return self._answer.mask()

    def _accept_thought(self, token: int, thinking: Thinking) -> None:
        is_forced = bool(self._forced)
        if is_forced:
            self._forced.popleft()
        thinking.accept(self._vocabulary.shown(token), counts=not is_forced)
        if thinking.is_over or (is_forced and not self._forced):
            self._thinking = None
            self._forced.clear()
        else:
            self._force_end_if_spent(thinking)

    def _accept_opening(self, token: int, opening: ReasoningStart) -> None:
        data = self._vocabulary.shown(token)
        if opening.is_begun_by(data):
            self._begin_thought(opening.accept(data))
            return
        is_continued = opening.is_continued_by(data)
        if is_continued:
            opening.accept(data)
        else:
            self._opening = None
        self._answer_beside(token, is_needed=not is_continued)

    def _begin_thought(self, said: bytes) -> None:
        assert self._thought is not None
        if self._answer is not None:
            self._answer.restart()
            self._answers_beside_opening = True
        self._think(self._thought)
        if said and self._thinking is not None:
            self._thinking.accept(said, counts=False)

    def _answer_beside(self, token: int, *, is_needed: bool) -> None:
        """The first tokens may be both: a thought's beginning and an answer."""
        if self._answer is None or not self._answers_beside_opening:
            return
        if is_needed or self._answer.is_allowed(token):
            self._answer.accept(token)
        else:
            self._answers_beside_opening = False
