"""The FastAPI app: its routers, and around them the layers that every request passes."""

import asyncio
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware import Middleware

from extensions.openai import embeddings, models, moderations, rerank
from extensions.openai.access import CrossOrigin, Gate, Policy
from extensions.openai.chat import knowledge, prompt
from extensions.openai.chat import routes as chat
from extensions.openai.common.context import Context
from extensions.openai.common.error_handlers import UnexpectedErrors, add_error_handlers
from extensions.openai.common.middleware import PlainPaths, RequestLog
from extensions.openai.completions import routes as completions
from extensions.openai.images import routes as images
from extensions.openai.internal import models as internal
from extensions.openai.internal import server, tokens
from extensions.openai.messages import routes as messages
from extensions.openai.responses import routes as responses
from extensions.openai.responses.service import ResponseService
from extensions.openai.sdapi import routes as sdapi
from extensions.openai.speech import routes as speech
from extensions.openai.transcriptions import routes as transcriptions
from modules.runtime import Runtime
from modules.serving.protocol import BodyLimit, BodyLimits
from modules.settings.values import Settings

# What stands around a recording of the largest size.
_FORM_BYTES: Final = 2**20
ROUTERS = (
    chat.router,
    completions.router,
    messages.router,
    responses.router,
    responses.conversations,
    embeddings.router,
    rerank.router,
    moderations.router,
    transcriptions.router,
    images.router,
    sdapi.router,
    speech.router,
    models.router,
    tokens.router,
    prompt.router,
    knowledge.router,
    internal.router,
    internal.management,
    internal.adapters,
    server.router,
)


def create_app(runtime: Runtime, *, settings: Settings | None = None, closing: asyncio.Event | None = None) -> FastAPI:
    """The API over `runtime`. `settings`, the runtime's own if not given, say who may call and how large a body may
    be; once `closing` is set, open replies end and new ones are refused."""
    settings = settings or runtime.settings
    app = FastAPIOffline(
        title="Local model API",
        description="OpenAI's API, and more, for the model this server has loaded.",
        redirect_slashes=False,
        middleware=_layers(settings),
    )
    closing = closing or asyncio.Event()
    app.state.context = Context(runtime, closing)
    app.state.responses = ResponseService(runtime, closing)
    for router in ROUTERS:
        app.include_router(router)
    add_error_handlers(app)
    return app


def _layers(settings: Settings) -> list[Middleware]:
    """Outermost first: catches errors, answers preflights, normalizes paths, checks access."""
    policy = Policy.of(settings)
    pages = Middleware(CrossOrigin, policy=policy)
    gate = Middleware(Gate, policy=policy)
    limits = Middleware(BodyLimits, max_bytes=settings.api_max_body_mb * 2**20, larger=_audio_limits(settings))
    log = [Middleware(RequestLog)] if settings.openai_debug else []
    return [*log, Middleware(UnexpectedErrors), pages, Middleware(PlainPaths), gate, limits]


def _audio_limits(settings: Settings) -> dict[str, BodyLimit]:
    limit = BodyLimit(settings.api_max_audio_mb * 2**20 + _FORM_BYTES, "--api-max-audio-mb")
    return dict.fromkeys(("/v1/audio/transcriptions", "/v1/audio/translations"), limit)
