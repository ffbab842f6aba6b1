"""Finds, in the output of pip and of compilers, the lines that tell why it failed and what a person can do about it."""

import re
from collections.abc import Sequence

MOST_LINES = 12
COMPLAINT = re.compile(
    r"^\s*(ERROR:|error:|FAILED:|CMake Error|\*\*\* |[\w.]*(Error|Exception|Invalid\w+): "
    r"|.*(: fatal error|: error:|Killed\b|: error C\d))"
)
PIP_CHATTER = re.compile(r"^\s*(WARNING: Location|Looking in |\[notice\])|^\s*$")

CURES: tuple[tuple[str, str], ...] = (
    (r"No space left on device|not enough space", "Free some disk space (about 3 GB are needed)."),
    (
        r"resolution|Max retries|Connection (refused|reset|aborted)|timed out|ConnectTimeout|Network is unreachable"
        r"|ProxyError|SSLError|getaddrinfo",
        "Check the network connection (behind a proxy: set HTTPS_PROXY, or `pip config set global.proxy URL`).",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED",
        "Your network inspects TLS: `pip config set global.cert FILE` with its certificate.",
    ),
    (
        r"No matching distribution|Requires-Python|requires a different Python",
        "A package has no version for this Python: start one_click.py with Python 3.11, 3.12 or 3.13.",
    ),
    (r"Permission denied|Access is denied", "Give your user the right to write into this folder, or move it."),
    (r"Killed\b|signal 9|out of memory|cannot allocate", "Memory ran out: close other programs and try again."),
    (r"CMake Error|CMakeCache", "Should it fail in the same way again: delete installer_files/build, then try again."),
    (r"THESE PACKAGES DO NOT MATCH THE HASHES", "A download was damaged on its way: try again."),
)

AGAIN = "Run the same command again: it goes on where it stopped."


def complaints(lines: Sequence[str]) -> list[str]:
    """The few lines that tell what went wrong; the last ones where none says so."""
    telling = [line.strip() for line in lines if not PIP_CHATTER.search(line)]
    found = list(dict.fromkeys(line for line in telling if COMPLAINT.match(line)))
    return [line[:300] for line in (found or telling)[-MOST_LINES:]]


def cures(lines: Sequence[str]) -> list[str]:
    """What a person can do about it; the last is always to try again."""
    text = "\n".join(lines)
    return [cure for pattern, cure in CURES if re.search(pattern, text, re.IGNORECASE)] + [AGAIN]


def is_unreachable(lines: Sequence[str]) -> bool:
    """Whether a download failed because its host does not answer, so that others there need not be tried."""
    pattern, _ = CURES[1]
    return re.search(pattern, "\n".join(lines), re.IGNORECASE) is not None
