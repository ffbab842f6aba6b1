"""The tools that the golden replies call."""

from modules.messages import ToolSpec

GET_WEATHER = ToolSpec(
    "get_weather",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1, "maximum": 16},
            "metric": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        },
        "required": ["city"],
    },
)
GET_TIME = ToolSpec("get_time", description="The time of day.")
PLAN = ToolSpec(
    "plan",
    parameters={
        "type": "object",
        "properties": {
            "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
            "owner": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
                "required": ["name"],
            },
            "free": {"type": "string"},
        },
        "$defs": {
            "step": {
                "type": "object",
                "properties": {"title": {"type": "string"}, "done": {"type": "boolean"}},
                "required": ["title"],
            }
        },
    },
)
TOOLS = (GET_WEATHER, GET_TIME, PLAN)
