"""All settings of the program as one frozen value.

Adding a setting is adding a field to one of the groups; those of the backends are added by `settings_with`.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, TypeVar

from pydantic import ValidationError, ValidationInfo, create_model, field_validator, model_validator

from modules.backends.registry import BACKENDS, Backends
from modules.errors import SettingsError
from modules.paths import UserData
from modules.settings.groups.api import ApiSettings, OpenaiExtensionSettings
from modules.settings.groups.chat import ChatSettings
from modules.settings.groups.generation import GenerationSettings
from modules.settings.groups.images import ImageSettings
from modules.settings.groups.model import ModelSettings, loader_field
from modules.settings.groups.page import PageSettings
from modules.settings.groups.program import ProgramSettings, WebSettings
from modules.settings.groups.upstream import UpstreamAddress, UpstreamSettings, upstream_addresses, upstream_keys
from modules.settings.options import Option, SettingsGroup, did_you_mean, option_of

API_EXTENSION = "openai"

# A wrong value may be a whole file that was pasted by mistake.
_MAX_SHOWN = 60
_AnySettings = TypeVar("_AnySettings", bound="CoreSettings")


# Fields are read from the last group to the first; `api` needs what stands in the groups before its own.
class CoreSettings(
    OpenaiExtensionSettings,
    GenerationSettings,
    PageSettings,
    ChatSettings,
    UpstreamSettings,
    ImageSettings,
    ModelSettings,
    ApiSettings,
    WebSettings,
    ProgramSettings,
    frozen=True,
):
    """Every setting with its value; what each means and may be stands at its field and in docs/SETTINGS.md.

    Built directly, a bad value raises pydantic's ValidationError; `settings_from` raises SettingsError only, in the
    operator's words. Unknown names and settings that contradict each other raise SettingsError either way.

    `backends` are those that can be chosen, `groups` the settings as they are documented, `declared` each by its name.
    """

    title: ClassVar[str] = "Settings"
    backends: ClassVar[Backends]
    groups: ClassVar[tuple[type[SettingsGroup], ...]]
    declared: ClassVar[Mapping[str, Option]]

    @property
    def explicit(self) -> frozenset[str]:
        """The fields that the operator set himself, wherever and to whatever value; the others follow the model."""
        return frozenset(self.model_fields_set)

    @property
    def wanted_effort(self) -> str | None:
        """The effort of reasoning that the operator chose; None leaves it to the chat template."""
        return self.reasoning_effort if "reasoning_effort" in self.explicit else None

    @property
    def swaps_models(self) -> bool:
        """Whether requests may have models loaded: what the operator says, else where there may be several."""
        return self.model_swap if "model_swap" in self.explicit else self.models_max > 1

    @property
    def user_data(self) -> UserData:
        return UserData(self.user_data_dir, self.model_dir, self.lora_dir)

    @property
    def active_extensions(self) -> tuple[str, ...]:
        """The extensions to start, each once and in the order in which they are applied; the API is not among them, `api`
        says whether it is served."""
        names = dict.fromkeys((*self.extensions, *self.default_extensions))
        return tuple(name for name in names if name != API_EXTENSION)

    @property
    def required_admin_key(self) -> str:
        """What management routes ask for: the admin key, else the API key; empty when neither is set."""
        return self.admin_key or self.api_key

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key that must not appear in a log."""
        keys = (self.api_key, self.admin_key, *self.passwords.values(), *self.upstream_keys.values())
        return tuple(key for key in keys if key)

    @property
    def upstreams(self) -> tuple[UpstreamAddress, ...]:
        """The servers whose models are offered beside the ones of this machine."""
        return upstream_addresses(self.upstream)

    @property
    def upstream_keys(self) -> Mapping[str, str]:
        """The key of each upstream that has one, by its name."""
        return MappingProxyType(upstream_keys(self.upstream_key))

    @property
    def passwords(self) -> Mapping[str, str]:
        """Who may use the web page, by name; empty lets everybody in. Raises SettingsError when the file of
        `gradio_auth_path` cannot be read."""
        entries = self.gradio_auth.split(",") if self.gradio_auth else []
        if self.gradio_auth_path is not None:
            entries += _lines_of(self.gradio_auth_path)
        pairs = [entry.strip().partition(":") for entry in entries if entry.strip()]
        if not all(name and password for name, _, password in pairs):
            raise SettingsError("Who may use the web UI is written as name:password.", param="gradio_auth_path")
        return MappingProxyType({name: password for name, _, password in pairs})

    @property
    def page_addresses(self) -> tuple[str, ...]:
        """The addresses on which the web page listens."""
        if not self.listen:
            return ("127.0.0.1",)
        return (self.listen_host or "0.0.0.0",)  # noqa: S104 - what --listen asks for

    @property
    def api_addresses(self) -> tuple[str, ...]:
        """The addresses on which the API listens; never empty."""
        if self.listen and self.listen_host:
            return (self.listen_host,)
        ipv4, ipv6 = ("0.0.0.0", "::") if self.listen else ("127.0.0.1", "::1")  # noqa: S104 - what --listen asks for
        return (ipv4,) * (not self.api_disable_ipv4) + (ipv6,) * self.api_enable_ipv6

    @property
    def is_exposed(self) -> bool:
        """Whether other machines can reach the API."""
        return self.public_api or not all(map(_is_loopback, self.api_addresses))

    def with_changes(self, changes: Mapping[str, object]) -> Self:
        """A new value in which `changes`, by field name, count as set by the operator. Raises SettingsError."""
        current = {name: getattr(self, name) for name in self.model_fields_set}
        return _build(type(self), (SettingSource(current, _key), SettingSource(changes, _key)))

    def without(self, name: str) -> Self:
        """A new value in which the operator left the setting `name` open."""
        return _build(
            type(self), (SettingSource({each: getattr(self, each) for each in self.model_fields_set - {name}}, _key),)
        )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown(cls, values: Mapping[str, object]) -> Mapping[str, object]:
        for name in values:
            if name not in cls.model_fields:
                raise SettingsError(f"There is no setting {name}{did_you_mean(name, cls.model_fields)}.", param=name)
        return values

    @field_validator("api")
    @classmethod
    def _is_api_implied(cls, api: bool, info: ValidationInfo) -> bool:
        names = (*info.data.get("extensions", ()), *info.data.get("default_extensions", ()))
        return api or info.data.get("public_api", False) or API_EXTENSION in names

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if (self.ssl_keyfile is None) != (self.ssl_certfile is None):
            raise SettingsError("HTTPS needs both --ssl-keyfile and --ssl-certfile; give the other one too.")
        if not self.api_addresses:
            raise SettingsError(
                "--api-disable-ipv4 leaves the API without an address; give --api-enable-ipv6 too, or leave it out."
            )
        names = {upstream.name for upstream in self.upstreams}
        if unknown := sorted(self.upstream_keys.keys() - names):
            raise SettingsError(f"--upstream-key: there is no --upstream named {unknown[0]}.", param="upstream_key")
        return self


def settings_with(backends: Backends) -> type[CoreSettings]:
    """All settings, where there are these backends: with the options of each."""
    # Backends for the same files may share theirs.
    own = tuple(dict.fromkeys(backend.options for backend in backends if backend.options.model_fields))
    bases: Any = (CoreSettings, *own)
    kind: type[CoreSettings] = create_model(
        "Settings", __base__=bases, __module__=__name__, loader=(str | None, loader_field(backends))
    )
    core = [group for group in reversed(CoreSettings.__bases__) if issubclass(group, SettingsGroup)]
    after_model = core.index(ModelSettings) + 1
    kind.backends = backends
    kind.groups = (*core[:after_model], *own, *core[after_model:])
    kind.declared = MappingProxyType(
        {name: option for group in kind.groups for name, option in _declared(group, kind).items()}
    )
    return kind


def _declared(group: type[SettingsGroup], kind: type[CoreSettings]) -> Mapping[str, Option]:
    """The options of a group as `kind` has them, which knows more of some."""
    return {name: option_of(name, kind.model_fields[name], group.title) for name in group.model_fields}


if TYPE_CHECKING:
    Settings: TypeAlias = CoreSettings
else:
    Settings = settings_with(BACKENDS)
OPTIONS: Mapping[str, Option] = Settings.declared


@dataclass(frozen=True, slots=True)
class SettingSource:
    """Values by field name that come from one place, and what a setting is called there, for messages."""

    values: Mapping[str, object]
    call: Callable[[Option], str]


def settings_from(sources: Sequence[SettingSource], kind: type[Settings] = Settings) -> Settings:
    """Settings out of several places, the last above the others. Raises SettingsError for values that cannot be used.

    Paths of files that are to be read must exist.
    """
    settings = _build(kind, sources)
    for option in kind.declared.values():
        path = getattr(settings, option.name) if option.is_file else None
        if path is not None and not path.is_file():
            raise SettingsError(f"{_called(option, sources)}: there is no file {path}.", param=option.name)
    return settings


def _build(kind: type[_AnySettings], sources: Sequence[SettingSource]) -> _AnySettings:
    values = {name: value for source in sources for name, value in source.values.items()}
    try:
        return kind.model_validate(values)
    except ValidationError as failure:
        errors = failure.errors()
        complaints = dict.fromkeys(_complaint(kind.declared[str(error["loc"][0])], values, sources) for error in errors)
        raise SettingsError("\n".join(complaints), param=str(errors[0]["loc"][0])) from None


def _complaint(option: Option, values: Mapping[str, object], sources: Sequence[SettingSource]) -> str:
    value = "this value" if option.secret else _shortened(repr(values[option.name]))
    return f"{_called(option, sources)}: {value} is not allowed; it must be {option.allowed}."


def _called(option: Option, sources: Sequence[SettingSource]) -> str:
    givers = [source for source in sources if option.name in source.values]
    return givers[-1].call(option) if givers else option.flag


def _key(option: Option) -> str:
    return option.key


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as failure:
        raise SettingsError(
            f"--gradio-auth-path: {path} cannot be read: {failure}.", param="gradio_auth_path"
        ) from None


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
