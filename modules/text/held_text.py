"""Text that comes in pieces: what to hold back at its end, and what of it is never shown."""

from collections.abc import Sequence

from modules.text.control_tokens import ControlTexts


def overlap(text: str, mark: str) -> int:
    """The length of the longest end of `text` that is a beginning of `mark`, and not all of it."""
    longest = min(len(mark) - 1, len(text))
    return next((length for length in range(longest, 0, -1) if text.endswith(mark[:length])), 0)


class BlankHolder:
    """Passes text on, but keeps the blanks at its end back until it is known what follows them."""

    def __init__(self) -> None:
        self._blanks: list[str] = []

    def feed(self, text: str) -> str:
        body = text.rstrip()
        if not body:
            self._blanks.append(text)
            return ""
        passed = self.take() + body
        self._blanks.append(text[len(body) :])
        return passed

    def take(self) -> str:
        """The blanks, which are no longer held."""
        blanks = "".join(self._blanks)
        self._blanks.clear()
        return blanks


class ControlFilter:
    """Takes the texts of control tokens out of text that comes in pieces."""

    def __init__(self, controls: ControlTexts) -> None:
        self._controls = controls
        self._has_controls = bool(controls)
        self._held = ""

    def feed(self, text: str) -> str:
        if not self._has_controls:
            return text
        shown, self._held = self._controls.removed_from(self._held + text)
        return shown

    def places(self, text: str, starts: Sequence[int]) -> list[int]:
        """Where in what `feed` is going to show next the characters `starts` of `text` are, or come later."""
        if not self._has_controls or not starts:
            return list(starts)
        whole, before = self._held + text, len(self._held)
        shown, held = self._controls.removed_from(whole)
        if len(shown) + len(held) == len(whole):
            return [before + start for start in starts]
        parts = (self._controls.removed_from(whole[: before + start]) for start in starts)
        return [min(len(passed) + len(rest), len(shown) + len(held)) for passed, rest in parts]

    def take(self) -> str:
        """What was held back, when nothing follows it."""
        held, self._held = self._held, ""
        return held
