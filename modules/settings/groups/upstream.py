"""The settings of models on other servers: where these are, their keys, how long they may be silent."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator

from modules.settings.option_values import Words
from modules.settings.options import SettingsGroup, setting

_NAMED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.*)", re.DOTALL)
# A key is sent in a header.
_KEY: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class UpstreamAddress:
    """The servers that `--upstream NAME=URL[,URL…]` names. URLs are as given, without a slash at the end."""

    name: str
    urls: tuple[str, ...]


def upstream_addresses(items: tuple[str, ...]) -> tuple[UpstreamAddress, ...]:
    """Items `NAME=URL`, each followed by the further URLs of that name. Raises ValueError."""
    found: dict[str, list[str]] = {}
    name = ""
    for item in items:
        match = None if _is_url(item) else _NAMED.fullmatch(item)
        name, url = match.groups() if match else (name, item)
        if not name or not _is_url(url):
            raise ValueError("an upstream is NAME=URL")
        found.setdefault(name, []).append(url.rstrip("/"))
    return tuple(UpstreamAddress(name, tuple(dict.fromkeys(urls))) for name, urls in found.items())


def upstream_keys(items: tuple[str, ...]) -> dict[str, str]:
    """Items `NAME=KEY`. Raises ValueError."""
    return dict(_keys(items))


def _keys(items: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for item in items:
        match = _NAMED.fullmatch(item)
        if match is None or not _KEY.fullmatch(match.group(2)):
            raise ValueError("a key is NAME=KEY")
        yield match.group(1), match.group(2)


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    # A key in the address would be shown where the address is.
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None and not parts.query


def _check_addresses(items: tuple[str, ...]) -> tuple[str, ...]:
    upstream_addresses(items)
    return items


def _check_keys(items: tuple[str, ...]) -> tuple[str, ...]:
    upstream_keys(items)
    return items


class UpstreamSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Models on other servers"

    upstream: Annotated[Words, AfterValidator(_check_addresses)] = setting(
        (),
        "OpenAI-compatible servers, as NAME=URL[,URL…] with URLs that end in /v1; their models are listed, and asked for, "
        "as NAME/model. Several URLs share the requests. May be given repeatedly.",
        allowed="a list of NAME=URL[,URL…], where NAME has letters, digits, dots and dashes, such as gpu=http://10.0.0.2:8000/v1",
    )
    upstream_key: Annotated[Words, AfterValidator(_check_keys)] = setting(
        (),
        "The key that is sent to the servers of NAME, as NAME=KEY. May be given repeatedly.",
        allowed="a list of NAME=KEY with printable ASCII characters without spaces",
        env="OPENEDAI_UPSTREAM_KEY",
        secret=True,
    )
    upstream_timeout: float = setting(
        600, "Seconds of silence after which a request to another server fails.", gt=0, le=86400
    )
