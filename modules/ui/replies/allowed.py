"""Which of the chosen tools a reply is offered, and which of them ask before each call."""

from modules.chat.tools.permissions import MEMORY_TOOLS, Permission, default_permission, permissions_from
from modules.chat.tools.toolbox import ToolBox
from modules.messages import ToolSpec
from modules.settings.values import Settings


async def allowed_tools(
    tools: ToolBox, settings: Settings, *, is_kept: bool
) -> tuple[tuple[ToolSpec, ...], frozenset[str]]:
    """The tools without those that are never to be called, and the names of those that ask. A chat that is kept nowhere
    notes nothing in the memory."""
    tools.use_search(settings.searxng_url)
    known = permissions_from(settings.tool_permissions)
    permissions = {
        name: known.get(name) or default_permission(name, origin, confirms=settings.confirm_tool_calls)
        for name, origin in (await tools.origins(settings.selected_tools)).items()
        if is_kept or name not in MEMORY_TOOLS
    }
    offered = [name for name, permission in permissions.items() if permission is not Permission.NEVER]
    asks = frozenset(name for name in offered if permissions[name] is Permission.ASK)
    return await tools.specs(offered), asks
