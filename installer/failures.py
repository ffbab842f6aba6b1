"""How a step of the set-up fails: what, why, what to do."""

from collections.abc import Sequence


class StepFailed(Exception):
    """A step cannot be completed. `what` is one sentence; `why` and `advice` are lines for a person to read."""

    def __init__(self, what: str, *, why: Sequence[str] = (), advice: Sequence[str] = ()) -> None:
        super().__init__(what)
        self.what = what
        self.why = tuple(why)
        self.advice = tuple(advice)

    def lines(self) -> list[str]:
        """The report, ready to print."""
        report = [self.what]
        if self.why:
            report += ["Why:", *(f"  {line}" for line in self.why)]
        if self.advice:
            report += ["What to do:", *(f"  {line}" for line in self.advice)]
        return report
