"""How long the page takes to open, and what it asks for."""

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Final

from playwright.sync_api import Browser

from bench.page.serving import Figure, Server
from bench.page.visits import Visit, first_key, visit

_KEY_GOAL: Final = "≤ 1.2"


def first_key_figures(browser: Browser, servers: Mapping[str, Server], rounds: int, what: str) -> Iterator[Figure]:
    """Of first visits to each server, in turn."""
    keys: dict[str, list[float]] = {name: [] for name in servers}
    for number in range(rounds):
        for name, server in list(servers.items())[:: 1 if number % 2 else -1]:
            keys[name].append(first_key(browser, server))
    for name in servers:
        yield Figure(f"first key accepted, {what}{name}", median(keys[name]), "s", _KEY_GOAL)


def opening_figures(browser: Browser, servers: Mapping[str, Server], rounds: int, what: str) -> Iterator[Figure]:
    """Of each server, in turn, so that what disturbs the machine disturbs both."""
    keys: dict[str, list[float]] = {name: [] for name in servers}
    again: dict[str, list[float]] = {name: [] for name in servers}
    visits: dict[str, list[Visit]] = {name: [] for name in servers}
    later: dict[str, list[Visit]] = {name: [] for name in servers}
    for number in range(rounds):
        for name, server in list(servers.items())[:: 1 if number % 2 else -1]:
            keys[name].append(first_key(browser, server))
            visits[name].append(visit(browser, server))
            with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
                first_key(context, server)
                again[name].append(first_key(context, server))
                later[name].append(visit(context, server))
    for name in servers:
        of = f"{what}{name}"
        yield Figure(f"first key accepted, {of}", median(keys[name]), "s", _KEY_GOAL)
        yield Figure(f"first key accepted at a later visit, {of}", median(again[name]), "s", _KEY_GOAL)
        yield Figure(
            f"first contentful paint, {of}", median(each.seconds_to_paint for each in visits[name]), "s", "≤ 0.7"
        )
        yield Figure(f"requests, {of}", median(each.requests for each in visits[name]), "", "≤ 40")
        yield Figure(f"requests at a later visit, {of}", median(each.requests for each in later[name]), "", "—")
        yield Figure(f"over the network, {of}", median(each.kilobytes for each in visits[name]), "kB", "≤ 1800")
        yield Figure(f"layout shift, {of}", max(each.shift for each in visits[name]), "", "< 0.05")
