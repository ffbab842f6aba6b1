"""What lists say of GGUF files before they are loaded."""

from pathlib import Path

from modules.backends.llamacpp.spec import LlamaCpp
from modules.engine.types import LoadSpec
from tests.gguf_file import write_gguf

# Longer than what is kept of other texts.
_TEMPLATE = "{% if tools %}{{ tools }}{% endif %}<think>" + " " * 20_000


def test_context_template_and_projector(tmp_path: Path) -> None:
    metadata = {"general.architecture": "llama", "llama.context_length": 4096, "tokenizer.chat_template": _TEMPLATE}
    path = write_gguf(tmp_path / "m.gguf", metadata, {})
    found = LlamaCpp().traits(LoadSpec(name="m.gguf", path=str(path), loader="llama.cpp"))
    assert (found.trained_context, found.modalities) == (4096, ("text",))
    assert found.chat_template == _TEMPLATE
    seeing = LoadSpec(name="m.gguf", path=str(path), loader="llama.cpp", options={"mmproj": "/p.gguf"})
    assert LlamaCpp().traits(seeing).modalities == ("text", "image")
