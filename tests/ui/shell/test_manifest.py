"""The page can be installed as an application, below any path."""

import json

from modules.ui.shell.manifest import LINKS, MANIFEST, read_icons


def test_manifest_names_icons_that_there_are_and_relative_addresses_only() -> None:
    manifest = json.loads(MANIFEST)
    assert manifest["display"] == "standalone"
    icons = read_icons()
    for icon in manifest["icons"]:
        content, kind = icons[icon["src"].removeprefix("./assets/")]
        assert content
        assert kind == icon["type"]
    addresses = [manifest["start_url"], manifest["scope"], *(icon["src"] for icon in manifest["icons"])]
    assert all(address.startswith("./") for address in addresses)
    assert b'href="./manifest.json"' in LINKS


def test_pictures_have_the_sizes_that_are_said() -> None:
    for name, (content, kind) in read_icons().items():
        if kind == "image/png":
            size = int(name.removeprefix("icon-").removesuffix(".png"))
            assert [int.from_bytes(content[place : place + 4]) for place in (16, 20)] == [size, size]
