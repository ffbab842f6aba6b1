"""What holds of the page's scripts without a browser: types by JSDoc, lint, and what their functions compute."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
_DEFAULT_FOLDER: Final = ROOT / "installer_files" / "test_clients"


def modules() -> Path:
    """Where the Node packages of tests/api/clients/package.json are."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm here to install Node packages with")
    folder = Path(os.environ.get("TEST_CLIENTS_DIR", _DEFAULT_FOLDER)) / "node_modules"
    if not folder.exists():
        pytest.fail(f"{folder} is not there. Run `python3 one_click.py check`, which installs it.")
    return folder


def run(*command: str | Path) -> tuple[int, str]:
    """Exit status and everything printed."""
    node_path = {"NODE_PATH": str(modules())}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | node_path)
    return done.returncode, done.stdout + done.stderr


def types_of(project: Path) -> tuple[int, str]:
    return run(modules() / ".bin" / "tsc", "--project", project)


def lint(*paths: Path) -> tuple[int, str]:
    config = ("--no-config-lookup", "--config", HERE / "eslint.config.cjs")
    return run(modules() / ".bin" / "eslint", *config, *paths)


def test_scripts_have_the_types_that_they_say() -> None:
    status, told = types_of(HERE / "tsconfig.json")
    assert status == 0, told


def test_scripts_are_free_of_lint() -> None:
    status, told = lint(ROOT / "modules" / "ui" / "assets", ROOT / "modules" / "ui" / "languages", HERE)
    assert status == 0, told


def test_functions_of_scripts_compute_what_they_should() -> None:
    status, told = run("node", "--test", "--test-reporter=dot", *sorted(HERE.glob("*.test.mjs")))
    assert status == 0, told


def test_a_wrong_type_is_found(tmp_path: Path) -> None:
    (tmp_path / "wrong.js").write_text('document.title = window.overlay.isOpen;\nconst f = (a) => a;\nf("");\n')
    config = f'{{"extends": "{(HERE / "tsconfig.json").as_posix()}", "include": ["wrong.js", "{HERE.as_posix()}/globals.d.ts", '
    config += f'"{ROOT.as_posix()}/modules/ui/assets/base/overlay/overlay.d.ts"], "exclude": []}}'
    (tmp_path / "tsconfig.json").write_text(config)
    status, told = types_of(tmp_path / "tsconfig.json")
    assert status != 0
    assert "TS2322" in told
    assert "TS7006" in told


def test_list_of_keys_in_docs_is_the_page_s_table() -> None:
    status, told = run("node", HERE / "keys_page.mjs")
    assert status == 0, told
    assert (ROOT / "docs" / "KEYS.md").read_text("utf-8") == told, "run node tests/scripts/keys_page.mjs > docs/KEYS.md"
