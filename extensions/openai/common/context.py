"""What every route can reach, handed to it by argument."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from modules.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Context:
    """`closing` is set once the server is being stopped."""

    runtime: Runtime
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
