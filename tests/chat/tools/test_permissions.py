"""What tools are allowed: what was decided, and what holds until then."""

import pytest

from modules.chat.tools.base import Origin
from modules.chat.tools.permissions import Permission, default_permission, permission_words, permissions_from


def test_what_was_decided_is_read_from_the_setting() -> None:
    words = ("roll_dice=ask", "a=b=never", "x=perhaps", "=ask", "nothing")
    known = permissions_from(words)
    assert known == {"roll_dice": Permission.ASK, "a=b": Permission.NEVER}
    assert permissions_from(permission_words(known)) == known


@pytest.mark.parametrize(
    ("name", "origin", "confirms", "permission"),
    [
        ("calculate", Origin.BUILT_IN, False, Permission.ALWAYS),
        ("calculate", Origin.BUILT_IN, True, Permission.ASK),
        ("anything", Origin.MCP, False, Permission.ASK),
        ("web_search", Origin.BUILT_IN, False, Permission.ASK),
        ("remember", Origin.BUILT_IN, False, Permission.ASK),
        ("mine", Origin.FILE, False, Permission.ALWAYS),
    ],
)
def test_what_holds_until_then(name: str, origin: Origin, confirms: bool, permission: Permission) -> None:
    assert default_permission(name, origin, confirms=confirms) is permission
