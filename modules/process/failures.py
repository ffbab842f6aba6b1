"""How a question to a child can fail, and how errors of `modules.errors` come back from one."""

import msgspec

from modules.errors import BadRequest, Busy, ContextTooLong, EngineFailed, NotSupported, ServiceError


class ProcessFailed(Exception):
    """A question that a child did not answer; the message is for the log, not for users."""


class ProcessDied(ProcessFailed):
    """It ended before it answered, by itself or killed. `exit_code` is negative for a signal, None where unknown."""

    def __init__(self, name: str, exit_code: int | None) -> None:
        super().__init__(f"{name} ended with code {exit_code}")
        self.exit_code = exit_code


class ProcessHung(ProcessFailed):
    """It did not respond, made no progress or took too much memory, and was killed."""


class ProcessClosed(ProcessFailed):
    """It was closed before it answered."""


class TimeLimitExceeded(ProcessFailed):
    """It took longer than the question may, and was killed."""


class FrameTooLarge(ProcessFailed):
    """The question is larger than a frame may be."""


class ProtocolBroken(ProcessFailed):
    """It sent what is no answer, or one that is too large, and was killed."""


class QuestionFailed(ProcessFailed):
    """Its code raised an error, whose type the message names. The child goes on."""


class ServiceFault(msgspec.Struct, frozen=True):
    """An error of `modules.errors` on its way through a pipe: `kind` is its name, `numbers` what it carries besides."""

    kind: str
    message: str
    param: str | None = None
    code: str | None = None
    numbers: dict[str, int] = {}


def fault_of(error: ServiceError) -> ServiceFault:
    match error:
        case ContextTooLong():
            numbers = {"prompt_tokens": error.prompt_tokens, "context": error.context}
        case Busy():
            numbers = {"retry_after": error.retry_after}
        case _:
            numbers = {}
    return ServiceFault(type(error).__name__, error.message, error.param, error.code, numbers)


def error_of(fault: ServiceFault) -> ServiceError:
    """What `fault_of` was given; EngineFailed for what no question can be refused with."""
    kind, message, numbers = fault.kind, fault.message, fault.numbers
    if kind == ContextTooLong.__name__ and numbers.keys() >= {"prompt_tokens", "context"}:
        return ContextTooLong(
            prompt_tokens=numbers["prompt_tokens"], context=numbers["context"], param=fault.param or "messages"
        )
    if kind == Busy.__name__:
        return Busy(message, retry_after=numbers.get("retry_after", 1))
    simple = {"BadRequest": BadRequest, "ContextTooLong": BadRequest, "NotSupported": NotSupported}
    return simple.get(kind, EngineFailed)(message, param=fault.param, code=fault.code)
