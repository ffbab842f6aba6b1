"""The page's settings as entered last: checked, kept between visits, saved after a moment."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from modules.errors import ServiceError, SettingsError
from modules.library.presets import PRESET_KEYS
from modules.models.recommended_sampling import (
    RECOMMENDABLE,
    RecommendedSampling,
    published_values,
    recommended_for,
)
from modules.settings.file import save_settings
from modules.settings.values import OPTIONS, Settings

_log = logging.getLogger(__name__)
# Sliders send many values while they are dragged; only the last one is written.
_QUIET_SECONDS: Final = 1.0

# What is recommended for the model of that name, or for the one that answers without a name; with or without thinking.
Recommend: TypeAlias = Callable[[str | None, bool], RecommendedSampling]


def _nothing_known(name: str | None, is_thinking: bool) -> RecommendedSampling:
    return recommended_for(name, None, is_thinking=is_thinking)


class SavedSettings:
    """Begins with the program's settings. Where visitors are kept apart (`multi_user`), nothing is remembered.

    While sampling follows the model, parameters that nobody has set have what is recommended for it. Those values are
    used and shown, never saved: settings.yaml has the defaults of the API, too.
    """

    def __init__(self, settings: Settings, recommend: Recommend = _nothing_known) -> None:
        self._settings = settings
        self._path: Path = settings.settings or settings.user_data.settings
        self._unsaved: set[str] = set()
        self._saving: asyncio.Task[None] | None = None
        self._recommend = recommend
        self._follows = _follows(settings)
        self._offered = published_values()

    @property
    def settings(self) -> Settings:
        return self._used(self._settings, None)

    @property
    def follows_model(self) -> bool:
        """Whether sampling is as recommended for the model, but for what was set by hand."""
        return self._follows

    @property
    def own_sampling(self) -> tuple[str, ...]:
        """The parameters that were set by hand meanwhile."""
        return tuple(name for name in self._settings.own_sampling if name in RECOMMENDABLE)

    @property
    def recommended(self) -> RecommendedSampling:
        """For the model that answers."""
        return self._recommend(None, self._settings.enable_thinking)

    def checked(self, values: Mapping[str, object]) -> Settings:
        """The settings with `values`, by name, in their place. Raises SettingsError for what cannot be used."""
        return self._settings.with_changes(values)

    def remember(self, values: Mapping[str, object], *, model: str | None = None) -> Settings:
        """As `checked`, with what is recommended for `model`; what is new is the page's from now on, and is written to
        settings.yaml soon."""
        if self._settings.multi_user:
            return self.checked(values)
        own = self._settings.own_sampling
        followed = {name for name in values if self._follows and name in RECOMMENDABLE and name not in own}
        by_hand = {name: value for name, value in values.items() if name in followed and self._is_new(name, value)}
        changes = {name: value for name, value in values.items() if name not in followed} | self._owning(by_hand)
        settings = self.checked(changes)
        self._keep(settings, changes)
        return self._used(settings, model)

    def follow_model(self) -> Settings:
        """From now on sampling is as recommended; what was set by hand or by a preset goes."""
        return self._turned("on", {name: OPTIONS[name].default for name in PRESET_KEYS})

    def leave_model(self, values: Mapping[str, object]) -> Settings:
        """From now on sampling is as `values` say, whatever is recommended. Raises SettingsError."""
        return self._turned("off", values)

    def set_by_hand(self, name: str, value: object) -> Settings:
        """The parameter `name` keeps `value`, whatever the model. Raises SettingsError."""
        changes = self._owning({name: value}) if self._follows and name in PRESET_KEYS else {name: value}
        settings = self.checked(changes)
        self._keep(settings, changes)
        return self._used(settings, None)

    async def aclose(self) -> None:
        """Writes what has not been written yet."""
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.wait([self._saving])
        await self._save()

    def _turned(self, to: str, values: Mapping[str, object]) -> Settings:
        changes = {**values, "recommended_sampling": to, "own_sampling": ()}
        if to == "on":
            changes["preset"] = ""
        settings = self.checked(changes)
        if not settings.multi_user:
            self._follows = to == "on"
        self._keep(settings, changes)
        return self._used(settings, None, follows=to == "on")

    def _owning(self, by_hand: Mapping[str, object]) -> dict[str, object]:
        """The changes by which these keep their values while the others follow the model."""
        if not by_hand:
            return {}
        # A value that is the program's default is left out of the file, so that the names have to be in it.
        own = tuple(dict.fromkeys((*self._settings.own_sampling, *by_hand)))
        return {**by_hand, "own_sampling": own, "recommended_sampling": "on"}

    def _is_new(self, name: str, value: object) -> bool:
        """Whether somebody has entered it: a browser may still show what was recommended for another model."""
        return value not in self._offered[name]

    def _used(self, settings: Settings, model: str | None, *, follows: bool | None = None) -> Settings:
        """With what is recommended, where nobody has set anything else."""
        if not (self._follows if follows is None else follows):
            return settings
        values = self._recommend(model, settings.enable_thinking).values
        for name, value in values.items():
            self._offered[name].add(value)
        return settings.with_changes(
            {name: value for name, value in values.items() if name not in settings.own_sampling}
        )

    def _keep(self, settings: Settings, names: Iterable[str]) -> None:
        if settings.multi_user:
            return
        changed = {name for name in names if getattr(settings, name) != getattr(self._settings, name)}
        if changed:
            self._settings = settings
            self._unsaved |= {name for name in changed if OPTIONS[name].stored}
            self._saving = self._saving or asyncio.create_task(self._save_soon())

    async def _save_soon(self) -> None:
        await asyncio.sleep(_QUIET_SECONDS)
        self._saving = None
        await self._save()

    async def _save(self) -> None:
        names, self._unsaved = self._unsaved, set()
        if not names:
            return
        try:
            await asyncio.to_thread(save_settings, self._path, self._settings, names)
        except (SettingsError, OSError) as error:
            reason = error.message if isinstance(error, ServiceError) else error.strerror
            _log.warning("the page's settings could not be saved: %s", reason)


def _follows(settings: Settings) -> bool:
    """What the operator says; else as long as he has set no sampling by himself."""
    is_set = bool(settings.preset) or bool(settings.explicit & set(PRESET_KEYS))
    return settings.recommended_sampling == "on" or (settings.recommended_sampling == "auto" and not is_set)
