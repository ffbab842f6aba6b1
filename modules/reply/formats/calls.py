"""Reading one call: its name, and arguments that are written as JSON."""

from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.schema import Schema
from modules.reply.formats.source import Source
from modules.reply.formats.steps import NotACall, Steps, collected
from modules.reply.formats.values import JSON, ValueReader, json_of_literal
from modules.reply.tool_format import CallArguments, CallEnd, CallStart


def read_name(source: Source, offered: OfferedTools) -> Steps[str]:
    """The offered name that comes next; what follows it is the caller's to check.

    Raises:
        NotACall: none does.
    """
    if not offered.names:
        raise NotACall
    return (yield from source.expect(*offered.names))


def give_call(source: Source, name: str, arguments: Steps[None]) -> Steps[None]:
    """A call whose `arguments` are read now. Where they turn out malformed it never ends, and all that was read of it
    is given back as text."""
    yield CallStart(name)
    yield from arguments
    source.commit()
    yield CallEnd()


def give_arguments(arguments: str) -> Steps[None]:
    yield CallArguments(arguments)


def read_json_call(source: Source, offered: OfferedTools, name: str) -> Steps[None]:
    """The call of `name` whose arguments come next: a JSON object, the same as text in a JSON string, or null."""
    schema = offered.schema(name)
    opener = yield from source.peek()
    if opener == "{":
        yield from give_call(source, name, ValueReader(source).value(schema))
    elif opener in JSON.quotes:
        text = (yield from ValueReader(source).string_text()).strip()
        yield from give_call(source, name, give_arguments(_object_of(text, schema)))
    else:
        yield from source.expect("null")
        yield from give_call(source, name, give_arguments("{}"))


def read_json_value(source: Source) -> Steps[str]:
    """Any JSON value, held back."""
    return (yield from collected(ValueReader(source).value(Schema({}))))


def _object_of(text: str, schema: Schema) -> str:
    if text in {"", "null"}:
        return "{}"
    arguments = json_of_literal(text, schema) if text.startswith("{") else None
    if arguments is None:
        raise NotACall
    return arguments
