"""The page's settings as entered last: checked, kept between visits, saved after a moment."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from modules.errors import ServiceError, SettingsError
from modules.settings.file import save_settings
from modules.settings.values import OPTIONS, Settings

_log = logging.getLogger(__name__)
# Sliders send many values while they are dragged; only the last one is written.
_QUIET_SECONDS: Final = 1.0


class SavedSettings:
    """Begins with the program's settings. Where visitors are kept apart (`multi_user`), nothing is remembered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._path: Path = settings.settings or settings.user_data.settings
        self._unsaved: set[str] = set()
        self._saving: asyncio.Task[None] | None = None

    @property
    def settings(self) -> Settings:
        return self._settings

    def checked(self, values: Mapping[str, object]) -> Settings:
        """The settings with `values`, by name, in their place. Raises SettingsError for what cannot be used."""
        return self._settings.with_changes(values)

    def remember(self, values: Mapping[str, object]) -> Settings:
        """As `checked`; what is new is the page's from now on, and is written to settings.yaml soon."""
        settings = self.checked(values)
        if settings.multi_user:
            return settings
        changed = {name for name in values if getattr(settings, name) != getattr(self._settings, name)}
        if changed:
            self._settings = settings
            self._unsaved |= {name for name in changed if OPTIONS[name].stored}
            self._saving = self._saving or asyncio.create_task(self._save_soon())
        return settings

    async def aclose(self) -> None:
        """Writes what has not been written yet."""
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.wait([self._saving])
        await self._save()

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
