"""Puts the sandbox's checks into a parsed template: a step per loop turn and macro call, and a measured `~`."""

from typing import TypeVar

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from modules.prompt.templates.sandbox import Sandbox

_Body = TypeVar("_Body", nodes.For, nodes.Macro, nodes.CallBlock)


def meter(sandbox: Sandbox, source: str) -> nodes.Template:
    """The parsed template, metered. Raises TemplateSyntaxError."""
    template = sandbox.parse(source)
    _Meter().visit(template)
    template.set_environment(sandbox)
    return template


class _Meter(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja's naming
        return self._spending(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        return self._spending(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:  # noqa: N802
        return self._spending(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _sandbox_call("concatenated", node.nodes, node.lineno)

    def _spending(self, node: _Body) -> nodes.Node:
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_sandbox_call("spend", [], node.lineno), lineno=node.lineno))
        return node


def _sandbox_call(method: str, arguments: list[nodes.Expr], lineno: int) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(method), arguments, [], None, None, lineno=lineno)
