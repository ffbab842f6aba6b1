"""A sample of a tool of your own: copy it, change both parts, and it appears in the list of tools.

`tool` tells the model what the function is for, in OpenAI's notation. `execute` gets the arguments as a dict and returns
text, or anything that can be written as JSON.
"""

tool = {
    "type": "function",
    "function": {
        "name": "word_count",
        "description": "Counts the words, lines and characters of a text.",
        "parameters": {
            "type": "object",
            "properties": {"text": {"type": "string", "description": "The text to count."}},
            "required": ["text"],
        },
    },
}


def execute(arguments):
    text = arguments["text"]
    return {"words": len(text.split()), "lines": len(text.splitlines()), "characters": len(text)}
