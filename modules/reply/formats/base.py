"""What the formats share: a parser from their readers, a constraint from their grammars."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from modules.engine.types import Constraint
from modules.messages import ToolSpec
from modules.reply.syntax.lark import Grammar
from modules.reply.syntax.reading import CallParser
from modules.reply.syntax.schema import OfferedTools
from modules.reply.syntax.source import ReplySource, Steps


class MarkedFormat(ABC):
    """A ToolFormat that is read with `read_calls` behind each of its `openers`, and enforced with `calls_rule`."""

    name: ClassVar[str]
    hints: ClassVar[tuple[str, ...]]
    markers: ClassVar[tuple[str, ...]]
    openers: ClassVar[tuple[str, ...]]
    closers: ClassVar[tuple[str, ...]] = ()

    def parser(self, tools: Sequence[ToolSpec], *, keeps_space: bool = False) -> CallParser:
        return CallParser(self, OfferedTools(tools), keeps_space=keeps_space)

    def constraint(self, tools: Sequence[ToolSpec], *, parallel: bool) -> Constraint:
        grammar = Grammar()
        return Constraint(kind="lark", text=grammar.source(self.calls_rule(grammar, tools, parallel=parallel)))

    def read_first(self, source: ReplySource, offered: OfferedTools) -> Steps[None]:
        yield from ()

    @abstractmethod
    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]: ...

    @abstractmethod
    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        """The expression that matches the calls of a reply; rules it needs are added to `grammar`."""
        ...
