"""What the clients' tests ask for: the scripted backend says what it is told to, a call of a tool too."""

from typing import Any, Final

from pydantic import BaseModel

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
CALL: Final = 'echo: <tool_call>\n{"name": "forecast", "arguments": {"city": "Rome", "days": 3}}\n</tool_call>'
CLASS_CALL: Final = CALL.replace("forecast", "Forecast")
TWO_CALLS: Final = CALL + '\n<tool_call>\n{"name": "forecast", "arguments": {"city": "Oslo", "days": 1}}\n</tool_call>'
ANSWER: Final = 'echo: {"city": "Rome", "days": 3}'


class Forecast(BaseModel):
    """Weather of the coming days."""

    city: str
    days: int


ROME: Final = Forecast(city="Rome", days=3)
TOOL: Final[dict[str, Any]] = {
    "type": "function",
    "function": {"name": "forecast", "description": "Weather of the coming days.", "parameters": SCHEMA},
}
