"""What every route can reach, handed to it by argument."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Protocol

from fastapi import Depends
from starlette.requests import Request

from modules.chat.service import ChatService
from modules.settings.values import Settings


class PresetReader(Protocol):
    def read(self, name: str) -> Mapping[str, object]:
        """Fields of `Sampling`. Raises BadRequest."""
        ...


class LibraryOfPresets(Protocol):
    @property
    def presets(self) -> PresetReader: ...


class AnsweringRuntime(Protocol):
    """What endpoints that answer requests need of the runtime. Those that manage models take all of it, from
    `program_of`."""

    @property
    def settings(self) -> Settings: ...

    @property
    def chat(self) -> ChatService: ...

    @property
    def library(self) -> LibraryOfPresets: ...


@dataclass(frozen=True, slots=True)
class Context:
    """`closing` is set once the server is being stopped."""

    runtime: AnsweringRuntime
    closing: asyncio.Event


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's side of the wire. `owner` names whose work it is."""

    request: Request
    owner: str
    context: Context

    @property
    def user_agent(self) -> str:
        return self.request.headers.get("user-agent", "")


def context_of(request: Request) -> Context:
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


def caller_of(request: Request) -> Caller:
    return Caller(request, request.state.owner, context_of(request))


CurrentContext = Annotated[Context, Depends(context_of)]
CurrentCaller = Annotated[Caller, Depends(caller_of)]
