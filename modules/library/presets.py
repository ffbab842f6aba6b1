"""Settings that users store: sampling presets, and settings by model name."""

import dataclasses
import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from pydantic import ValidationError

from modules.errors import BadRequest
from modules.library.folder import FileCache, Folder, blaming
from modules.library.templates import InstructionTemplates
from modules.library.text_files import as_mapping, parse_yaml, read_text, yaml_text
from modules.paths import UserData, atomic_write
from modules.sampling import OFF_BELOW_ZERO, Sampling, zero_if_negative
from modules.settings.groups.generation import GenerationSettings
from modules.settings.values import OPTIONS

_log = logging.getLogger(__name__)

_Rules: TypeAlias = Mapping[str, Mapping[str, object]]

_TEMPLATE: Final = "instruction_template"
_ALIASES: Final = MappingProxyType({alias: option.name for option in OPTIONS.values() for alias in option.aliases})


class PerModelSettings:
    """Rules in both files are read in order, and later ones go above earlier ones.

    The key of a rule is a regular expression for the beginning of the model's file name, or of its name with folders
    where the key has a slash in it; case does not matter. A key that is the name itself, or the name and `$`, matches it
    whatever its characters would mean in an expression.
    """

    def __init__(self, data: UserData) -> None:
        # With --model-dir the shipped file is not where the models are.
        self._shipped = tuple(dict.fromkeys((data.root / "models" / data.model_config.name, data.model_config)))
        self._own = data.user_model_config
        self._templates = InstructionTemplates(data)
        self._cache = FileCache[_Rules](_read_rules)

    def for_model(self, name: str) -> Mapping[str, object]:
        """What both files say of the model `name`, by setting name, and `instruction_template`; values as in the files.

        Raises BadRequest, naming file and line, when a file is no such mapping.
        """
        return MappingProxyType({**self._matching(self._shipped, name), **self._matching((self._own,), name)})

    def own_template(self, name: str) -> str | None:
        """The instruction template that the user chose for the model: it goes above the model's own."""
        return _template(self._matching((self._own,), name))

    def suggested_template(self, name: str) -> str | None:
        """The instruction template that the shipped rules name, if its file is there: for models that bring none."""
        template = _template(self._matching(self._shipped, name))
        return template if template is not None and self._templates.has(template) else None

    def save(self, name: str, settings: Mapping[str, object]) -> None:
        """Store `settings`, by setting name, as the user's own for the model `name`, in place of those stored before."""
        older = _keys_of(name)
        rules = {key: value for key, value in self._rules(self._own).items() if key.lower() not in older}
        # Last, so that it goes above every pattern.
        rules[f"{re.escape(name.lower())}$"] = settings
        atomic_write(self._own, yaml_text({key: dict(value) for key, value in rules.items()}))

    def choose_template(self, name: str, template: str | None) -> None:
        """Store the instruction template that the user chose for the model `name`, beside what is stored for it already;
        None leaves the choice to the model."""
        keys = _keys_of(name)
        rules = (rule for key, rule in self._rules(self._own).items() if key.lower() in keys)
        stored = {key: value for rule in rules for key, value in rule.items() if key != _TEMPLATE}
        self.save(name, stored if template is None else {**stored, _TEMPLATE: template})

    def _matching(self, files: tuple[Path, ...], name: str) -> dict[str, object]:
        rules = (rule for file in files for rule in self._rules(file).items())
        return {key: value for pattern, values in rules if _matches(pattern, name) for key, value in values.items()}

    def _rules(self, file: Path) -> _Rules:
        try:
            return self._cache.read(file)
        except FileNotFoundError:
            return {}


def _read_rules(path: Path) -> _Rules:
    content = as_mapping(parse_yaml(read_text(path), path.name), path.name)
    return MappingProxyType(
        {pattern: MappingProxyType(dict(_rule(path.name, pattern, content))) for pattern in content}
    )


def _rule(file_name: str, pattern: str, content: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    values = content[pattern]
    if not isinstance(values, dict):
        raise BadRequest(f"{file_name}: what stands under {ascii(pattern)[:60]} must be settings, as `key: value`.")
    for key, value in values.items():
        name = str(key).replace("-", "_")
        yield _ALIASES.get(name, name), tuple(value) if isinstance(value, list) else value


def _template(rule: Mapping[str, object]) -> str | None:
    name = rule.get(_TEMPLATE)
    return None if name is None else str(name)


def _matches(pattern: str, name: str) -> bool:
    if _is_name(pattern, name):
        return True
    try:
        expression = re.compile(pattern, re.IGNORECASE)
    except re.error:
        return False
    return expression.match(name if "/" in pattern else _base(name)) is not None


def _is_name(pattern: str, name: str) -> bool:
    literal = pattern.lower()
    forms = {name.lower(), _base(name).lower()}
    return bool({literal, literal.removesuffix("$")} & (forms | {re.escape(form) for form in forms}))


def _keys_of(name: str) -> set[str]:
    """Under which a rule is about the model `name` and no other, in lower case."""
    literal = name.lower()
    return {literal, f"{literal}$", f"{re.escape(literal)}$"}


def _base(name: str) -> str:
    return name.rpartition("/")[2]


_NEUTRAL: Final = Sampling()
# Presets of other programs write -1 for off.
_OFF_BELOW_ZERO: Final = frozenset({*OFF_BELOW_ZERO, "top_k"})
# What belongs to one request only (its seed, its bans) has no setting either.
PRESET_KEYS: Final = tuple(
    field.name for field in dataclasses.fields(Sampling) if field.name in GenerationSettings.model_fields
)


class Presets:
    """Files in `presets/`: sampling parameters by name, each only if it differs from neutral."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.presets, "preset", (".yaml", ".yml"))
        self._cache = FileCache(_read)

    def names(self) -> list[str]:
        return self._folder.names()

    def read(self, name: str, *, param: str = "preset") -> Mapping[str, object]:
        """Fields of `Sampling` with the values that the file gives them, in range and of the field's type; what the file
        leaves out is left out. Raises BadRequest, naming `param`."""
        with blaming(param):
            return self._cache.read(self._folder.existing(name, param=param))

    def save(self, name: str, sampling: Sampling, *, param: str = "preset") -> None:
        """Write what differs from neutral. Raises BadRequest."""
        path = self._folder.find(name, param=param) or self._folder.new(name, ".yaml", param=param)
        values = {key: getattr(sampling, key) for key in PRESET_KEYS}
        changed = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in values.items()
            if value != getattr(_NEUTRAL, key)
        }
        atomic_write(path, yaml_text(changed) if changed else "")

    def source(self, name: str) -> str:
        """The file as it is. Raises BadRequest."""
        with blaming("preset"):
            return read_text(self._folder.existing(name, param="preset"))

    def write(self, name: str, source: str) -> None:
        """The file as its user has written it. Raises BadRequest for what is no preset."""
        _values(source, name)
        path = self._folder.find(name) or self._folder.new(name, ".yaml")
        atomic_write(path, source)

    def rename(self, name: str, new_name: str) -> None:
        """Raises BadRequest."""
        self._folder.rename(name, new_name, param="preset")

    def delete(self, name: str, *, param: str = "preset") -> None:
        """Raises BadRequest when there is none of that name."""
        self._folder.delete(name, param=param)


def _read(path: Path) -> Mapping[str, object]:
    return _values(read_text(path), path.name)


def _values(source: str, name: str) -> Mapping[str, object]:
    content = as_mapping(parse_yaml(source, name), name)
    _warn_of_unknown(name, content)
    given = {
        key: zero_if_negative(value) if key in _OFF_BELOW_ZERO else value
        for key, value in content.items()
        if key in PRESET_KEYS and value is not None
    }
    try:
        settings = GenerationSettings.model_validate(given)
    except ValidationError as failure:
        key = str(failure.errors()[0]["loc"][0])
        raise BadRequest(f"{name}: `{key}` must be {OPTIONS[key].allowed}.") from None
    return MappingProxyType({key: getattr(settings, key) for key in given})


def _warn_of_unknown(file_name: str, content: Mapping[str, object]) -> None:
    unknown = [ascii(key) for key in content if key not in PRESET_KEYS]
    if unknown:
        _log.warning("%s: keys that are ignored: %s", file_name, ", ".join(unknown)[:500])
