"""What the model picker shows, as JSON for the page's script. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from modules.engine.types import ModelCard, ModelKind
from modules.models.downloads.hub_name import quantization_of, title_of
from modules.models.gauge import Room
from modules.models.listing import DiskModel
from modules.models.state import ModelState, Status

_STATES: Final = {Status.READY: "loaded", Status.LOADING: "loading", Status.FAILED: "failed", Status.EMPTY: "sleeping"}
_ABILITIES: Final = ("vision", "audio", "tools", "thinking")


def pill_facts(state: ModelState, remote: ModelCard | None) -> dict[str, Any]:
    """Of the model that answers: the one of this machine whose `state` it is, or else one of another server."""
    if remote is not None:
        return {**_named(remote.name), "status": "remote", "context": remote.context, "reads": list(remote.modalities)}
    if state.name is None or state.kind is not ModelKind.CHAT:
        return {"name": "", "title": "", "status": "none", "context": 0, "quantization": ""}
    card = state.card
    return {
        **_named(state.name),
        "status": _STATES[state.status],
        "progress": round(state.progress, 2),
        "message": state.message or "",
        "context": card.context if card else 0,
        "reads": list(card.modalities) if card else [],
    }


def model_rows(found: Sequence[DiskModel], states: Sequence[ModelState]) -> list[dict[str, Any]]:
    """One for each chat model of this machine, those in memory first."""
    known = {state.name: state for state in states if state.name and state.kind is ModelKind.CHAT}
    rows = {model.name: _disk_row(model) for model in found}
    for name, state in known.items():
        row = rows.setdefault(str(name), {**_named(str(name)), "group": "disk", "abilities": []})
        row |= _state_row(state)
    return sorted(rows.values(), key=lambda row: row["group"] != "loaded")


def remote_rows(cards: Sequence[ModelCard]) -> list[dict[str, Any]]:
    return [{**_named(card.name), "group": "remote", "context": card.context, "abilities": []} for card in cards]


def room_facts(room: Room) -> Mapping[str, int]:
    """Bytes for models: of the graphics cards where there are any, else of main memory."""
    return {"free": room.gpu_free or room.host_free, "total": room.gpu_total or room.host_total}


def _named(name: str) -> dict[str, Any]:
    return {"name": name, "title": title_of(name), "quantization": quantization_of(name) or ""}


def _disk_row(model: DiskModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "title": model.title,
        "quantization": model.quantization,
        "group": "disk",
        "size": model.size,
        "context": model.context,
        "trained": model.trained_context,
        "abilities": [name for name in _ABILITIES if name in model.abilities],
        "lacks": model.lacks,
        "problem": model.problem,
    }


def _state_row(state: ModelState) -> dict[str, Any]:
    card = state.card
    is_there = state.status in {Status.READY, Status.LOADING} or (state.status is Status.EMPTY and card is not None)
    row: dict[str, Any] = {"status": _STATES[state.status], "progress": round(state.progress, 2)}
    if is_there:
        row["group"] = "loaded"
    if state.status is Status.FAILED:
        row["problem"] = state.message or ""
    if card is not None:
        row |= {
            "context": card.context,
            "trained": card.trained_context,
            "abilities": [name for name in _ABILITIES if name in card.capabilities],
        }
    if state.memory:
        row["memory"] = state.memory
    return row
