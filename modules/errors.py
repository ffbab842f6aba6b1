"""The ways to fail. Each carries a sentence its reader can act on; nothing here knows HTTP."""


class ServiceError(Exception):
    """Base of every failure that is reported to a caller.

    `message` is shown as it is: it says what to do and holds no path, key or prompt text.
    `param` names the offending request field; `code` is OpenAI's machine-readable reason.
    """

    code: str | None = None

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        if code is not None:
            self.code = code


class BadRequest(ServiceError):
    """The request cannot be honoured as it stands."""


class ContextTooLong(BadRequest):
    """The prompt does not fit the model's context."""

    code = "context_length_exceeded"

    def __init__(self, *, prompt_tokens: int, context: int, param: str = "messages") -> None:
        super().__init__(
            f"This model's maximum context length is {context} tokens. However, your prompt has {prompt_tokens} tokens, "
            "which leaves no room for a reply. Shorten the prompt or load the model with a larger --ctx-size.",
            param=param,
        )
        self.prompt_tokens = prompt_tokens
        self.context = context


class NotFound(ServiceError):
    """The named thing does not exist."""


class NotLoaded(ServiceError):
    """No model is loaded, so the request cannot be answered now."""

    code = "model_not_loaded"


class NotSupported(ServiceError):
    """The request is well formed, but this server (or what it has loaded) cannot do it."""

    code = "not_supported"


class NotInstalled(ServiceError):
    """What would answer is not on this machine; the message names the command that gets it."""

    code = "not_available"


class Busy(ServiceError):
    """The queue is full. `retry_after` is in seconds."""

    code = "queue_full"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LoadFailed(ServiceError):
    """A model could not be loaded; whatever was loaded before is as it was, if the message does not say otherwise."""

    code = "model_load_failed"


class NoRoom(ServiceError):
    """There can be no room for a model beside what must stay loaded; everything is as it was."""

    code = "no_room_for_model"


class EngineFailed(ServiceError):
    """The engine died or broke while it worked on a request."""

    code = "engine_failed"


class ExtensionFailed(EngineFailed):
    """An extension broke down, or returned what cannot be used; no other request is touched by it."""

    code = "extension_failed"


class UpstreamFailed(EngineFailed):
    """Another server, whose model was asked for, failed or sent what cannot be used."""

    code = "upstream_failed"


class UpstreamUnavailable(UpstreamFailed):
    """It cannot be reached, or says that it is not available."""


class UpstreamSilent(UpstreamFailed):
    """It took too long."""


class SettingsError(ServiceError):
    """A flag, environment variable or settings file holds something that cannot be used."""
