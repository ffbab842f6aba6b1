"""Lists of items, page by page. Pure."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import Query

from extensions.openai.responses.bodies import ItemList
from extensions.openai.responses.items import CustomToolCallItem, CustomToolCallOutputItem, Item
from modules.errors import BadRequest

Limit = Annotated[int, Query(ge=1, le=100, description="Most items of the page.")]
Order = Annotated[Literal["asc", "desc"], Query(description="Oldest or newest first.")]
After = Annotated[str | None, Query(description="The page begins after the item with this id.")]


def page(items: Sequence[Item], *, limit: int, order: str, after: str | None, has_statuses: bool = False) -> ItemList:
    """Raises BadRequest when `after` is none of the items. With `has_statuses` every item shows one."""
    ordered = list(items) if order == "asc" else list(reversed(items))
    start = 0 if after is None else _place(ordered, after) + 1
    shown = ordered[start : start + limit]
    return ItemList(
        data=[_shown(item, has_statuses) for item in shown],
        first_id=shown[0].id if shown else "",
        last_id=shown[-1].id if shown else "",
        has_more=start + limit < len(ordered),
    )


def _place(items: Sequence[Item], item_id: str) -> int:
    place = next((place for place, item in enumerate(items) if item.id == item_id), None)
    if place is None:
        raise BadRequest("There is no item with this id in the list.", param="after")
    return place


def _shown(item: Item, has_statuses: bool) -> dict[str, Any]:
    shown = item.model_dump()
    if has_statuses and isinstance(item, CustomToolCallItem | CustomToolCallOutputItem):
        shown["status"] = "completed"
    return shown
