"""Writes what Hugging Face's renderer makes of each template in templates/ and of those in the tests' models.

Run it where `transformers` is installed beside the program's own packages (it was 5.23.0, without PyTorch):
`TEST_MODELS_DIR=… python -m tests.golden.make_template_goldens`.
"""

import asyncio
import json
from typing import Any

from jinja2.exceptions import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from tests.golden.template_cases import GOLDENS, MODELS, TEMPLATES, Case, cases, model_template
from tests.model_files import model_path


def _sources() -> dict[str, str]:
    files = {path.stem: path.read_text("utf-8") for path in sorted(TEMPLATES.glob("*.jinja"))}
    return files | {name: asyncio.run(model_template(model_path(file))) for name, file in MODELS.items()}


def _golden(source: str, case: Case) -> dict[str, Any]:
    try:
        [text], _ = render_jinja_template(
            [case.messages],
            tools=case.tools,
            chat_template=source,
            add_generation_prompt=case.add_generation_prompt,
            **case.variables,
        )
    except TemplateError as error:
        return {"refused": error.message}
    return {"text": text}


def main() -> None:
    for name, source in _sources().items():
        goldens = {case.name: _golden(source, case) for case in cases()}
        path = GOLDENS / f"{name}.json"
        path.write_text(json.dumps(goldens, ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
