"""The child's side of `foreign`: reads templates on stdin and writes texts on stdout, within limits of its own."""

import json
import logging
import signal
import sys
from contextlib import suppress
from typing import Any, BinaryIO, Final

from modules.errors import BadRequest
from modules.prompt.templates.foreign import LENGTH, READY
from modules.prompt.templates.render import TemplateRefused, TemplateRenderer

if sys.platform != "win32":
    import resource

_MAX_BYTES: Final = 1 << 30
# The parent is faster; this is for the case that it is gone.
_MAX_SECONDS: Final = 10


def serve() -> None:
    """Ends when stdin does."""
    logging.disable()
    _limit()
    incoming, outgoing = sys.stdin.buffer, sys.stdout.buffer
    renderer = TemplateRenderer()
    outgoing.write(READY)
    outgoing.flush()
    while header := incoming.read(LENGTH.size):
        (length,) = LENGTH.unpack(header)
        _set_alarm(_MAX_SECONDS)
        _send(outgoing, _answer(renderer, incoming.read(length)))
        _set_alarm(0)


def _answer(renderer: TemplateRenderer, question: bytes) -> dict[str, Any]:
    source, variables = json.loads(question)
    try:
        if isinstance(variables, list):
            return {"texts": renderer.attempt(source, variables)}
        return {"text": renderer.render(source, variables)}
    except TemplateRefused as refusal:
        return {"refused": refusal.message}
    except BadRequest as failure:
        return {"failed": failure.message}


def _send(outgoing: BinaryIO, answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    outgoing.write(LENGTH.pack(len(body)) + body)
    outgoing.flush()


def _limit() -> None:
    """No more memory than a template can need, and no file can be written. Not every system has all limits."""
    if sys.platform == "win32":
        return
    limits = {resource.RLIMIT_AS: _MAX_BYTES, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    for kind, most in limits.items():
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def _set_alarm(seconds: int) -> None:
    if sys.platform != "win32":
        signal.alarm(seconds)
