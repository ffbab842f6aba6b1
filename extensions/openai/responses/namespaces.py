"""Tools that stand in namespaces, such as an MCP server's of Codex: to the model each is one function under one name, to
the caller a name within its namespace."""

from typing import NamedTuple


class CallName(NamedTuple):
    """How the caller names a tool."""

    name: str
    namespace: str | None = None

    @property
    def model_name(self) -> str:
        """The one name by which the model knows it."""
        if self.namespace is None:
            return self.name
        return f"{self.namespace.removesuffix('__')}__{self.name}"
