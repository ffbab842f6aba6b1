"""The whole runtime, for endpoints that manage models or count for the operator."""

from extensions.openai.common.context import Context
from modules.runtime import Runtime


def program_of(context: Context) -> Runtime:
    # Apart from the context, so that endpoints which only answer do not import all there is.
    assert isinstance(context.runtime, Runtime)
    return context.runtime
