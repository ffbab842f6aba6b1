"""Who may change the program from the page."""

from pathlib import Path
from typing import Any

import pytest

from modules.errors import BadRequest
from modules.settings.values import Settings
from modules.ui.page.access import check_operator, check_saves, is_operator
from tests.ui.open_page import asked_from

LOCAL = asked_from().request.headers


def settings(**values: Any) -> Settings:
    return Settings.model_validate(values)


@pytest.mark.parametrize(
    ("values", "host", "is_one"),
    [
        ({}, "127.0.0.1:7860", True),
        ({}, "localhost:7860", True),
        ({}, "[::1]:7860", True),
        ({}, "chat.example.org", False),
        ({"listen": True}, "127.0.0.1:7860", False),
        ({"share": True}, "127.0.0.1:7860", False),
        ({"listen": True, "gradio_auth": "ann:secret"}, "192.168.1.2:7860", True),
        ({"share": True, "gradio_auth": "ann:secret"}, "x.gradio.live", True),
        ({"multi_user": True, "gradio_auth": "ann:secret"}, "127.0.0.1:7860", False),
        ({"multi_user": True}, "127.0.0.1:7860", False),
    ],
)
def test_operators_gave_a_password_or_sit_at_the_machine(values: dict[str, Any], host: str, is_one: bool) -> None:
    assert is_operator(settings(**values), asked_from(host).request.headers) is is_one


@pytest.mark.parametrize("name", ["x_forwarded_for", "forwarded", "x_real_ip", "x_forwarded_host"])
def test_who_comes_through_a_proxy_sits_elsewhere(name: str) -> None:
    assert not is_operator(settings(), asked_from(**{name: "192.0.2.1"}).request.headers)


def test_passwords_of_a_file_count(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("ann:secret\n")
    exposed = settings(listen=True, gradio_auth_path=tmp_path / "names")
    assert is_operator(exposed, asked_from("192.168.1.2").request.headers)


def test_refusals_say_what_to_do() -> None:
    check_saves(settings())
    check_operator(settings(), LOCAL)
    with pytest.raises(BadRequest, match="multi-user"):
        check_saves(settings(multi_user=True))
    with pytest.raises(BadRequest, match="gradio-auth"):
        check_operator(settings(listen=True), LOCAL)
