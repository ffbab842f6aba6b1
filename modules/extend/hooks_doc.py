"""Writes the table of hooks in docs/EXTENSIONS.md: `python -m modules.extend.hooks_doc`."""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from modules import hooks
from modules.paths import PROGRAM_FOLDER, atomic_write

EXTENSIONS_PAGE: Final = PROGRAM_FOLDER / "docs" / "EXTENSIONS.md"
_BEGIN: Final = "<!-- hooks: begin -->\n"
_END: Final = "<!-- hooks: end -->\n"


def with_hooks(page: str) -> str:
    """The page's text with the table as it should be."""
    head, _, rest = page.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    return f"{head}{_BEGIN}{hooks_table()}{_END}{tail}"


def hooks_table() -> str:
    rows = "".join(f"| `{name}` | {signature} | {meaning} |\n" for name, signature, meaning in documented_hooks())
    return f"| Hook | Signature | What it gets |\n|---|---|---|\n{rows}"


def documented_hooks() -> Iterator[tuple[str, str, str]]:
    """Name, signature and meaning of each hook, out of the text that stands under its field."""
    tree = ast.parse(inspect.getsource(hooks.Hooks))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            signature, _, meaning = _text_of(text).partition(": ")
            while signature.count("`") % 2:
                more, _, meaning = meaning.partition(": ")
                signature = f"{signature}: {more}"
            yield field.target.id, signature, meaning


def _text_of(node: ast.stmt) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return " ".join(text.split())
    return ""


if __name__ == "__main__":
    atomic_write(EXTENSIONS_PAGE, with_hooks(EXTENSIONS_PAGE.read_text(encoding="utf-8")))
