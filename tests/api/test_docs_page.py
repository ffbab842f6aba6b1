"""/docs works without any network, and docs/API.md tells what is there."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from extensions.openai import typing as models
from extensions.openai.app import ROUTERS
from extensions.openai.common.errors import HTTP_ERRORS
from extensions.openai.field_tables import with_tables
from extensions.openai.typing import (
    ChatCompletionRequest,
    CreateResponseRequest,
    LoadRequest,
    LogitsRequestBody,
    MessagesRequest,
    TextCompletionRequest,
    TokenizeRequest,
)
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


def test_the_papers_tables_are_those_of_the_models() -> None:
    assert with_tables(PAPER) == PAPER, "Run `python -m extensions.openai.field_tables`."


@pytest.mark.parametrize(
    "model",
    [
        ChatCompletionRequest,
        TextCompletionRequest,
        LogitsRequestBody,
        LoadRequest,
        TokenizeRequest,
        CreateResponseRequest,
        MessagesRequest,
    ],
)
def test_every_field_has_its_row_in_the_paper(model: type[BaseModel]) -> None:
    assert not [name for name in model.model_fields if f"| `{name}` |" not in PAPER]


def test_every_endpoint_is_in_the_paper() -> None:
    paths = {getattr(route, "path", "") for router in ROUTERS for route in router.routes}
    missing = sorted(path for path in paths if path.replace("{model:path}", "{id}") not in PAPER)
    assert not missing


def test_every_status_is_in_the_paper() -> None:
    assert not {fault.status for fault in HTTP_ERRORS.values() if f"| {fault.status} |" not in PAPER}


def test_every_model_can_be_imported_from_one_place() -> None:
    assert set(models.__all__) == {name for name in vars(models) if name[0].isupper()}
