"""What lets browsers install the page: its manifest and icons. Nothing is kept offline."""

import json
from pathlib import Path
from types import MappingProxyType
from typing import Final

_FOLDER: Final = Path(__file__).parents[1] / "icons"
_SIZES: Final = (192, 512)
# Relative addresses hold below any path that a proxy serves the page at.
_MANIFEST: Final = {
    "name": "Local models",
    "short_name": "Local models",
    "id": "./",
    "start_url": "./",
    "scope": "./",
    "display": "standalone",
    "background_color": "#0f172a",
    "theme_color": "#4f46e5",
    "icons": [
        {"src": "./assets/icon.svg", "sizes": "any", "type": "image/svg+xml"},
        *(
            {
                "src": f"./assets/icon-{size}.png",
                "sizes": f"{size}x{size}",
                "type": "image/png",
                "purpose": "any maskable",
            }
            for size in _SIZES
        ),
    ],
}
MANIFEST_PATH: Final = "/manifest.json"
MANIFEST: Final = json.dumps(_MANIFEST).encode()
LINKS: Final = (
    b'<link rel="manifest" href="./manifest.json" crossorigin="use-credentials">'
    b'<link rel="apple-touch-icon" href="./assets/icon-192.png">'
    b'<meta name="theme-color" media="(prefers-color-scheme: light)" content="#ffffff">'
    b'<meta name="theme-color" media="(prefers-color-scheme: dark)" content="#0f172a">'
)


def read_icons() -> MappingProxyType[str, tuple[bytes, str]]:
    """Content and type of each, by name."""
    kinds = {".svg": "image/svg+xml", ".png": "image/png"}
    return MappingProxyType({file.name: (file.read_bytes(), kinds[file.suffix]) for file in _FOLDER.iterdir()})
