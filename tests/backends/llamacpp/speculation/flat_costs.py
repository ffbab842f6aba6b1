"""Has tokens drafted wherever they can be."""

from modules.backends.llamacpp.speculation.costs import StepCosts


class FlatCosts(StepCosts):
    """Every step takes as long as every other: drafts always pay."""

    def of(self, width: int) -> float:
        return 1.0


class FallingCosts(StepCosts):
    """The more is drafted the sooner a step is done: whatever can be is drafted, however unlikely."""

    def of(self, width: int) -> float:
        return 1.0 / width
