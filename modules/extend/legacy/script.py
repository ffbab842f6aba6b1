"""One old script that has been imported."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from modules.errors import ExtensionFailed, ServiceError
from modules.extend.host import Host
from modules.extend.legacy.calls import called


@dataclass(frozen=True, slots=True)
class OldScript:
    host: Host
    module: ModuleType

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def params(self) -> dict[str, Any]:
        """Its own dictionary, or an empty one."""
        params = getattr(self.module, "params", None)
        return params if isinstance(params, dict) else {}

    def function(self, name: str) -> Callable[..., Any] | None:
        found = getattr(self.module, name, None)
        return found if callable(found) else None

    @contextmanager
    def blamed(self, name: str) -> Iterator[None]:
        """Whatever goes wrong with what its function of that name returned is put down to the script."""
        try:
            yield
        except ExtensionFailed:
            raise
        except ServiceError as failure:
            raise ExtensionFailed(f"The extension {self.name}, in {name}: {failure.message}") from failure
        except Exception as failure:
            function = self.function(name)
            assert function is not None
            raise self.host.blamed(function, failure) from failure

    async def call(self, name: str, *args: object, **offered: object) -> Any:  # noqa: ANN401 - what the script returns
        """What its function of that name returns, on the script's own thread."""
        function = self.function(name)
        assert function is not None

        def act() -> Any:  # noqa: ANN401 - the same
            return called(function, *args, **offered)

        act.__name__ = name
        return await self.host.call(act)
