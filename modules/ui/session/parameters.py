"""Parameters of extensions as the user edits them: lines `<extension>-<parameter>: value`. Pure."""

from collections.abc import Mapping, Sequence

from modules.errors import BadRequest
from modules.library.text_files import as_mapping, parse_yaml, yaml_text
from modules.settings.values import OPTIONS

_SHOWN_NAME = "The parameters"


def parameters_in(stored: Mapping[str, object], extensions: Sequence[str]) -> dict[str, object]:
    """Those of the keys of settings.yaml that are parameters of extensions, and no settings of the program."""
    own = {option.key for option in OPTIONS.values()}
    return {
        key: value
        for key, value in stored.items()
        if key not in own and any(key.startswith(f"{name}-") for name in extensions)
    }


def parameters_text(parameters: Mapping[str, object]) -> str:
    return yaml_text(parameters) if parameters else ""


def parameter_changes(text: str, stored: Mapping[str, object], extensions: Sequence[str]) -> dict[str, object]:
    """What `text` makes of the `stored` parameters; None stands for one that is left out. Raises BadRequest."""
    written = as_mapping(parse_yaml(text, _SHOWN_NAME), _SHOWN_NAME)
    allowed = parameters_in(written, extensions)
    for key in written:
        if key not in allowed:
            raise BadRequest(
                f"{key!a} is not a parameter of an extension. One a line: the extension's name, a dash, the parameter's name, "
                "a colon and the value.",
                param="extensions",
            )
    return {key: None for key in parameters_in(stored, extensions) if key not in written} | allowed
