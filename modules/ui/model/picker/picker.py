"""What the model picker asks the server for: models, how one would be loaded, and loads."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modules.chatmodels.base import ChatModelSource
from modules.engine.types import ModelCard
from modules.errors import BadRequest, ServiceError
from modules.library.recent_models import RecentModels
from modules.models.catalog import model_catalog
from modules.models.downloads.hub_name import title_of
from modules.models.listing import LoadPreview, ModelListing
from modules.models.options import LoadOptions, load_options, options_of_loader, with_model_settings
from modules.models.state import ModelState, Status
from modules.settings.values import Settings
from modules.ui.model.picker.loads import PickerLoads, WaitingLoad
from modules.ui.model.picker.rows import model_rows, pill_facts, remote_rows, room_facts
from modules.ui.model.picker.suggestions import suggested
from modules.ui.page.access import check_saves
from modules.ui.page.option_fields import entry_of
from modules.ui.page.page import Page

Asked = Mapping[str, Any]
Told = dict[str, Any]

# A server that does not answer must not hold up the list of all others.
_REMOTE_SECONDS: Final = 3.0
_TEMPLATE: Final = "instruction_template"
_NO_NAME: Final = "Choose a model first."


class ModelPicker:
    """Asked by browsers, whose words are looked at: names are found among what is on disk."""

    def __init__(self, page: Page) -> None:
        runtime = page.runtime
        self._page = page
        self._models = runtime.models
        self._remote = runtime.remote
        self._settings = runtime.settings
        self._kind = type(runtime.settings)
        self._library = runtime.library
        self._listing = ModelListing(
            runtime.settings, runtime.models, model_catalog(runtime.data, runtime.settings.backends)
        )
        self._recent = RecentModels(runtime.data.root / "cache" / "recent_models.json")
        self._loads = PickerLoads(runtime.models)
        page.on_close(self._loads.aclose)
        page.news["models"] = self._version

    def state(self, chosen: str = "") -> Told:
        """Of the model that answers a chat for which `chosen` was chosen."""
        name = self._page.answering_model(chosen)
        loads = self._loads
        facts = pill_facts(self._local_state(name), self._remote_card(name))
        failure, waiting = loads.failure, loads.waiting
        return facts | {
            "waiting": {"title": title_of(waiting.name), "uses": self._models.uses(waiting.replaced)}
            if waiting
            else None,
            "failure": {"name": failure[0], "title": title_of(failure[0]), "message": failure[1]} if failure else None,
            "mayChoose": not self._page.settings.multi_user,
        }

    def _version(self) -> str:
        """Another text whenever `state` may say something else."""
        known = [pill_facts(state, None) for state in self._models.models]
        told = json.dumps([self._page.chosen_model, self.state(), known])
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    async def listed(self) -> Told:
        found, room, recent, (remote, silent) = await asyncio.gather(
            asyncio.to_thread(self._listing.models),
            asyncio.to_thread(self._listing.room),
            asyncio.to_thread(self._recent.names),
            self._remote_cards(),
        )
        # What made room for another model, and is not asked for any more, is on disk only.
        states = [each for each in self._models.models if each.status is not Status.EMPTY or self._is_kept(each)]
        rows = [*model_rows(found, states), *remote_rows(remote)]
        offers = [] if rows else suggested(room)
        return {
            "rows": rows,
            "recent": [name for name in recent if any(row["name"] == name for row in rows)],
            "silent": silent,
            "room": room_facts(room),
            "suggested": [{"title": each.title, "source": each.source, "gib": each.gib} for each in offers],
        }

    async def preview(self, asked: Asked) -> Told:
        """The fields for how the model is loaded, and the memory that it takes then."""
        name = _name(asked)
        args = asked.get("args")
        preview, settings = await asyncio.to_thread(self._previewed, name, args if isinstance(args, Mapping) else {})
        estimate = preview.estimate
        return {
            "name": name,
            "title": title_of(name),
            "fields": self._fields(settings, preview.spec.loader),
            "context": preview.context,
            "needs": estimate.total,
            "parts": [{"name": part, "bytes": size} for part, size in estimate.parts],
            "lacks": preview.lacks,
            "room": room_facts(await asyncio.to_thread(self._listing.room)),
        }

    async def load(self, asked: Asked) -> Told:
        """Begins to load the model; while replies run and nobody has said what becomes of them, says how many there are."""
        check_saves(self._page.settings)
        name, args = _name(asked), asked.get("args")
        options = await asyncio.to_thread(self._checked, name, args if isinstance(args, Mapping) else {})
        replaced = name if self._settings.models_max > 1 else None
        uses = self._models.uses(replaced)
        decision = asked.get("decision")
        if uses and decision not in {"wait", "stop"}:
            return {"uses": uses}
        if asked.get("remember"):
            await asyncio.to_thread(self._remember, name, options)
        await asyncio.to_thread(self._recent.note, name)
        self._loads.begin(WaitingLoad(name, replaced), lambda: self._models.load(name, options))
        if uses and decision == "stop":
            self._page.runtime.work.stop_all()
        return {}

    async def unload(self, asked: Asked) -> Told:
        check_saves(self._page.settings)
        name = _name(asked)
        uses = self._models.uses(name)
        decision = asked.get("decision")
        if uses and decision not in {"wait", "stop"}:
            return {"uses": uses}
        self._loads.begin(WaitingLoad(name, name), lambda: self._models.unload(name))
        if uses and decision == "stop":
            self._page.runtime.work.stop_all()
        return {}

    async def give_up(self) -> Told:
        self._loads.give_up()
        self._loads.forget_failure()
        return {}

    def _is_kept(self, state: ModelState) -> bool:
        return state.name is not None and self._models.known_card(state.name) is not None

    def _local_state(self, name: str | None) -> ModelState:
        states = {state.name: state for state in self._models.models}
        return (states.get(name) if name else None) or self._models.state

    def _remote_card(self, name: str | None) -> ModelCard | None:
        """None where a model of this machine answers."""
        is_remote = name is not None and name.partition("/")[0] in self._remote
        if is_remote or (name is None and not self._models.has_model and self._remote):
            card = self._page.model_card(name)
            return card or (ModelCard(name=name, loader="", context=0, vocabulary=0) if name else None)
        return None

    async def _remote_cards(self) -> tuple[list[ModelCard], list[str]]:
        """And the names of the servers that did not answer."""
        # They may change while they are asked.
        sources = dict(self._remote)
        answers = await asyncio.gather(*map(_cards_of, sources.values()))
        found = dict(zip(sources, answers, strict=True))
        silent = [name for name, cards in found.items() if not cards]
        return [card for cards in answers for card in cards], silent

    def _checked(self, name: str, args: Asked) -> LoadOptions:
        options = LoadOptions.parse(dict(args), self._kind)
        self._listing.preview(name, options)
        return options

    def _previewed(self, name: str, args: Asked) -> tuple[LoadPreview, Settings]:
        options = LoadOptions.parse(dict(args), self._kind)
        stored = with_model_settings(self._settings, name, self._library.model_settings.for_model(name))
        return self._listing.preview(name, options), options.applied_to(stored)

    def _fields(self, settings: Settings, loader: str) -> list[Told]:
        known = options_of_loader(self._kind, loader)
        return [
            {
                "name": name,
                "label": option.label,
                "info": option.description,
                "kind": option.kind.name.lower(),
                "choices": list(option.choices),
                "value": entry_of(option, getattr(settings, name)),
                "main": option.is_main,
            }
            for name, option in load_options(self._kind).items()
            if name in known
        ]

    def _remember(self, name: str, options: LoadOptions) -> None:
        """In place of what was stored for the model before; its template stays."""
        stored = self._library.model_settings
        typed = options.applied_to(self._kind())
        values = {each: getattr(typed, each) for each in options.changes}
        kept: dict[str, object] = {
            each: list(value) if isinstance(value, tuple) else value for each, value in values.items()
        }
        if template := stored.own_template(name):
            kept[_TEMPLATE] = template
        stored.save(name, kept)


def _name(asked: Asked) -> str:
    """Raises BadRequest."""
    name = asked.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(_NO_NAME)
    return name


async def _cards_of(source: ChatModelSource) -> Sequence[ModelCard]:
    try:
        async with asyncio.timeout(_REMOTE_SECONDS):
            return [card.model for card in await source.list_cards()]
    except (TimeoutError, ServiceError):
        return ()
