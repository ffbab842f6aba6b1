"""Who may save something from the page, and who may change the program with it and see its keys."""

from typing import Final

from starlette.datastructures import Headers

from modules.errors import BadRequest
from modules.serving.addressing import is_addressed, own_names
from modules.settings.values import Settings

# Headers that proxies add: the sender is then another machine, whatever its address says.
_FORWARDED: Final = ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip")
_KEPT_APART: Final = "With --multi-user nothing can be changed from the page."
_STRANGERS: Final = (
    "Anybody who reaches this page could do that, for it asks for no password. Open it on the machine itself without "
    "--listen and --share, or start the program with --gradio-auth name:password."
)


def check_saves(settings: Settings) -> None:
    """Raises BadRequest where visitors may keep nothing."""
    if settings.multi_user:
        raise BadRequest(_KEPT_APART)


def check_operator(settings: Settings, headers: Headers) -> None:
    """Raises BadRequest for whoever may not change the program."""
    check_saves(settings)
    if not is_operator(settings, headers):
        raise BadRequest(_STRANGERS)


def is_operator(settings: Settings, headers: Headers) -> bool:
    """Whether the request comes from somebody who has given a password, or from this very machine."""
    if settings.multi_user:
        return False
    if settings.passwords:
        return True
    is_forwarded = any(name in headers for name in _FORWARDED)
    return not (settings.listen or settings.share or is_forwarded) and is_addressed(headers, own_names())
