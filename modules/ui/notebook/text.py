"""The text of a notebook: how a reply comes to stand in it, and the way back. Pure."""

from dataclasses import dataclass, field, replace
from typing import Final

from modules.requests import CompletionRequest
from modules.settings.values import Settings
from modules.ui.replies.requests import constraint, limits, sampling

# Each step keeps a whole text in memory.
_MOST_STEPS_BACK: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NotebookText:
    """`text` is all of it or, where there are two columns, the prompt, which goes on in `continuation`."""

    text: str = ""
    continuation: str = ""
    has_columns: bool = False

    @property
    def whole(self) -> str:
        return self.text + self.continuation if self.has_columns else self.text

    def afresh(self) -> "NotebookText":
        """Without the continuation that stands in a column of its own."""
        return replace(self, continuation="")

    def with_words(self, words: str) -> "NotebookText":
        """As it goes on."""
        if self.has_columns:
            return replace(self, continuation=self.continuation + words)
        return replace(self, text=self.text + words)


@dataclass(slots=True)
class UndoSteps:
    """What the text was before each reply, the latest last, and where the latest reply began."""

    past: list[NotebookText] = field(default_factory=list)
    begun: NotebookText | None = None

    def begin(self, shown: NotebookText, start: NotebookText) -> None:
        """A reply is about to go on from `start`, while `shown` is what there was."""
        self.past = [*self.past, shown][-_MOST_STEPS_BACK:]
        self.begun = start

    def back(self) -> NotebookText | None:
        """What there was before the latest reply, which is forgotten; None when there was none."""
        return self.past.pop() if self.past else None


def completion_request(settings: Settings, prompt: str) -> CompletionRequest:
    """Raises BadRequest, naming the setting, for stop strings or bans that cannot be read. Where there is a pace to keep,
    each piece of the reply says how many tokens it is."""
    return CompletionRequest(
        model=None,
        prompts=(prompt,),
        sampling=sampling(settings),
        limits=limits(settings),
        constraint=constraint(settings),
        logprobs=0 if settings.max_tokens_second else None,
        add_bos=settings.add_bos_token,
        skip_special_tokens=settings.skip_special_tokens,
    )
