"""Which of Gradio's paths are open: those that its page needs, fewer before signing in."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from fastapi import FastAPI

from modules.ui.shell.internals import gradio_app

# What Gradio has besides, nobody needs here: descriptions of the events, events by name, copies of a session's state,
# its token, pages fetched from elsewhere, dashboards, editors.
_FOR_ANYBODY: Final = re.compile(
    r"/|/(login|logout|theme\.css|gradio_api/theme\.css|favicon\.ico|manifest\.json|robots\.txt)/?|/(static|assets)/.+"
)
_FOR_USERS: Final = re.compile(
    r"/config/?"
    r"|/(dictation|speech|news|left)/?"
    r"|/gradio_api/(queue/(join|data)|upload|upload_progress|cancel|reset|app_id|login_check|component_server)/?"
    r"|/gradio_api/stream/.+"
    r"|/gradio_api/file=(?!\w{2,}:).+",
    re.DOTALL,
)


class OpenTo(StrEnum):
    """Who may use a path."""

    ANYBODY = "anybody"
    USERS = "users"
    NOBODY = "nobody"


def open_to(path: str) -> OpenTo:
    """`path` is below the one that the page is served at."""
    if _FOR_ANYBODY.fullmatch(path):
        return OpenTo.ANYBODY
    return OpenTo.USERS if _FOR_USERS.fullmatch(path) else OpenTo.NOBODY


class SignedInUsers:
    """Who is signed in to Gradio's app. Gradio asks on most paths, but not on all of those above."""

    def __init__(self, app: FastAPI) -> None:
        self._gradio = gradio_app(app)

    def has(self, cookies: Mapping[str, str]) -> bool:
        """Whether these are of a browser that has signed in; everybody has where nobody must."""
        gradio = self._gradio
        if gradio.auth is None:
            return True
        names = (f"access-token-{gradio.cookie_id}", f"access-token-unsecure-{gradio.cookie_id}")
        return any(cookies.get(name) in gradio.tokens for name in names)
