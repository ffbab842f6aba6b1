"""Settings as fields show them, and as arguments of a load have them."""

from typing import Any, Final

from modules.settings.option_values import OptionKind
from modules.settings.options import Option

NO_DRAFT: Final = "None"


def entry_of(option: Option, value: Any) -> Any:  # noqa: ANN401 - whatever kind of value a setting has
    """The value as a field shows it, and as arguments of a load have it."""
    if option.name == "model_draft":
        return value or NO_DRAFT
    match option.kind:
        case OptionKind.NUMBERS:
            return ", ".join(f"{each:g}" for each in value)
        case OptionKind.WORDS:
            return ", ".join(value)
        case _:
            return value
