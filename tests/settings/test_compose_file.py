"""docs/scale/compose.yaml: what Compose asks for, what its containers run, and what docs/SCALE.md says of both."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from modules.paths import PROGRAM_FOLDER
from modules.settings.flags import parse

_FOLDER: Final = PROGRAM_FOLDER / "docs"
SOURCE: Final = (_FOLDER / "scale" / "compose.yaml").read_text("utf-8")
SERVICES: Final[dict[str, dict[str, Any]]] = yaml.safe_load(SOURCE)["services"]
# Compose replaces variables in the whole file, whichever profile is started.
VARIABLES: Final[dict[str, str]] = dict(re.findall(r"(?<!\$)\$\{(\w+)([^}]*)\}", SOURCE))


def test_compose_asks_for_nothing_that_only_one_machine_knows() -> None:
    assert [name for name, rest in VARIABLES.items() if rest.startswith(":?")] == ["ADDRESS"]
    assert all(rest.startswith((":?", ":-")) for rest in VARIABLES.values())


def test_the_page_names_each_variable_that_has_to_be_set() -> None:
    page = (_FOLDER / "SCALE.md").read_text("utf-8")
    told = set(re.findall(r"\b([A-Z][A-Z_]+)=\S", page))
    assert {"ADDRESS", "HEAD", "MODEL", "VLLM_API_KEY", "MACHINES", "GPUS_PER_MACHINE"} <= told & VARIABLES.keys()
    assert {service["profiles"][0] for service in SERVICES.values()} == set(re.findall(r"--profile (\w+)", page))


@pytest.mark.parametrize("name", ["head", "worker"])
def test_containers_run_a_script_that_knows_its_variables(name: str) -> None:
    service = SERVICES[name]
    (script,) = service["command"]
    assert service["entrypoint"][0] == "/bin/bash"
    used = set(re.findall(r"\$\$\{?(\w+)", script))
    assert used <= service["environment"].keys()
    if bash := shutil.which("bash"):
        subprocess.run([bash, "-n", "-c", script.replace("$$", "$")], check=True)


def test_all_machines_have_one_ray() -> None:
    versions = {
        name: re.findall(r"'(ray\[\w+\]==[\d.]+)'", SERVICES[name]["command"][0]) for name in ("head", "worker")
    }
    assert versions["head"] == versions["worker"] != []


def test_the_program_takes_its_command(tmp_path: Path) -> None:
    command = SERVICES["ui"]["command"]
    assert command[:2] == ["python3", "one_click.py"]
    variables = {name: text.replace("${VLLM_API_KEY:-}", "k") for name, text in SERVICES["ui"]["environment"].items()}
    settings = parse(["--user-data-dir", str(tmp_path), *command[2:]], variables)
    assert settings.api
    assert [address.name for address in settings.upstreams] == ["cluster"]
    assert settings.upstream_keys == {"cluster": "k"}
