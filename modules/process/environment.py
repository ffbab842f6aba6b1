"""The environment variables that any program needs to run at all, and that hold nothing of the server's."""

import os
from typing import Final

_NAMES: Final = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SYSTEMROOT",
    "PYTHONHOME",
    "TMPDIR",
    "TEMP",
    "TMP",
    "TZ",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
)


def harmless_environment() -> dict[str, str]:
    """Those of this process's variables that may be given to any child. No keys, no settings, no user's name."""
    return {name: os.environ[name] for name in _NAMES if name in os.environ}
