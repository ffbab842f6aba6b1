"""/docs works without any network, and docs/API.md tells what is there."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from extensions.openai import typing as models
from extensions.openai.app import ROUTERS
from extensions.openai.errors import FAULTS
from extensions.openai.typing import ChatCompletionRequest, LoadRequest, LogitsRequestBody, TextCompletionRequest
from extensions.openai.unavailable import ENDPOINTS
from modules.settings_generation import GenerationSettings
from tests.api.serving import Served

PAPER = (Path(__file__).parents[2] / "docs" / "API.md").read_text()


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_page_loads_everything_from_here(api: Served, path: str) -> None:
    page = await api.http.get(path)
    assert page.status_code == 200
    addresses = re.findall(r"""(?:src|href)=["']([^"']+)""", page.text)
    assert addresses
    for address in addresses:
        assert address.startswith("/")
        assert (await api.http.get(address)).status_code == 200


async def test_the_description_names_every_field(api: Served) -> None:
    schema = (await api.http.get("/openapi.json")).json()
    for model in (ChatCompletionRequest, TextCompletionRequest):
        assert set(schema["components"]["schemas"][model.__name__]["properties"]) == set(model.model_fields)


@pytest.mark.parametrize("model", [ChatCompletionRequest, TextCompletionRequest, LogitsRequestBody, LoadRequest])
def test_every_field_has_its_row_in_the_paper(model: type[BaseModel]) -> None:
    missing = [row for row in field_rows(model) if row not in PAPER]
    assert not missing, "docs/API.md lacks these rows:\n" + "\n".join(missing)


def field_rows(model: type[BaseModel]) -> list[str]:
    """A row per field: its name, what it accepts, what holds without it, what it means."""
    properties = model.model_json_schema()["properties"]
    return [
        f"| `{name}` | {accepted(field)} | {default_of(name)} | {field['description']} |"
        for name, field in properties.items()
    ]


def default_of(name: str) -> str:
    """As the settings of the server have it, if nobody changed them."""
    setting = GenerationSettings.model_fields.get(name)
    if setting is None:
        return ""
    if isinstance(setting.default, bool):
        return str(setting.default).lower()
    return f"{setting.default:g}" if isinstance(setting.default, int | float) else "as set"


def accepted(field: dict[str, Any]) -> str:
    forms = (form for form in field.get("anyOf", [field]) if form.get("type") != "null")
    return " or ".join(dict.fromkeys(words(form) for form in forms))


def words(form: dict[str, Any]) -> str:
    if "enum" in form:
        return ", ".join(form["enum"])
    if "items" in form:
        return f"list of {accepted(form['items'])}"
    low, high = form.get("minimum", form.get("exclusiveMinimum")), form.get("maximum")
    bounds = f" {low:g} to {high:g}" if low is not None and high is not None and high < 1e6 else ""
    return {"string": "text", "number": "number", "integer": "integer", "boolean": "boolean"}.get(
        str(form.get("type")), "object" if "$ref" in form or form.get("type") == "object" else "anything"
    ) + bounds


def test_every_endpoint_is_in_the_paper() -> None:
    paths = {getattr(route, "path", "") for router in ROUTERS for route in router.routes} | set(ENDPOINTS)
    missing = sorted(path for path in paths if path.replace("{model:path}", "{id}") not in PAPER)
    assert not missing


def test_every_status_is_in_the_paper() -> None:
    assert not {fault.status for fault in FAULTS.values() if f"| {fault.status} |" not in PAPER}


def test_every_model_can_be_imported_from_one_place() -> None:
    assert set(models.__all__) == {name for name in vars(models) if name[0].isupper()}
