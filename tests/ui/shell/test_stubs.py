"""Gradio is imported without writing type stubs, as the server does it, in a process of its own."""

import subprocess
import sys

from tests.live.server import ROOT

PROGRAM = """
import ast
from modules.ui.shell.stubs import leave_out_stubs
leave_out_stubs()
leave_out_stubs()
parsed = []
parse = ast.parse
ast.parse = lambda source, *rest, **named: parsed.append(source) or parse(source, *rest, **named)
import gradio
from gradio import component_meta
ast.parse = parse
print(gradio.Textbox(label="Name").label, component_meta.__spec__.origin == component_meta.__file__)
print(sum("class Textbox" in str(source) for source in parsed))
"""


def test_gradio_is_imported_without_its_stubs() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["Name", "True", "0"], done.stderr
