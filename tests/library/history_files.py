"""Conversations as other programs and older versions have written them."""

from typing import Any

PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="

CALL = {"id": "call_1", "type": "function", "function": {"name": "calculate", "arguments": '{"expression": "6*7"}'}}
TOOL_SEQUENCE = [
    {"tool_calls": [CALL], "content": "Let me see."},
    {"role": "tool", "content": "42", "tool_call_id": "call_1"},
]


def full() -> dict[str, Any]:
    """A greeting, a reply in two versions after a call of a tool, and a message with attachments of every kind."""
    return {
        "internal": [
            ["<|BEGIN-VISIBLE-CHAT|>", "How can I help you today?"],
            ["What is 6*7 & why?", "<think>6*7</think>It is 42."],
            ["See these", "I see <them>."],
        ],
        "visible": [
            ["", "How can I help you today?"],
            ["What is 6*7 &amp; why?", "&lt;think&gt;6*7&lt;/think&gt;It is 42."],
            ["See these", "I see &lt;them&gt;."],
        ],
        "metadata": {
            "user_0": {"timestamp": ""},
            "assistant_0": {"timestamp": "Nov 23, 2025 00:30"},
            "user_1": {"timestamp": "Nov 23, 2025 00:31"},
            "assistant_1": {
                "timestamp": "Nov 23, 2025 00:32",
                "model_name": "Qwen3-8B-Q4_K_M.gguf",
                "versions": [
                    {"content": "No idea.", "visible_content": "No idea.", "timestamp": "Nov 23, 2025 00:31"},
                    {
                        "content": "<think>6*7</think>It is 42.",
                        "visible_content": "&lt;think&gt;6*7&lt;/think&gt;It is 42.",
                        "timestamp": "Nov 23, 2025 00:32",
                        "tool_sequence": TOOL_SEQUENCE,
                    },
                ],
                "current_version_index": 1,
                "tool_sequence": TOOL_SEQUENCE,
            },
            "user_2": {
                "timestamp": "Nov 23, 2025 00:33",
                "attachments": [
                    {"name": "dot.png", "type": "image", "image_data": PIXEL, "image_id": "img_1"},
                    {"name": "a.pdf", "type": "application/pdf", "content": "pages"},
                    {"name": "b.docx", "type": "application/docx", "content": "paragraphs"},
                    {"name": "c.txt", "type": "text/plain", "content": "lines"},
                    {"name": "Page", "type": "text/html", "url": "https://example.org/", "content": "words"},
                ],
            },
            "assistant_2": {"timestamp": "Nov 23, 2025 00:34", "model_name": "Qwen3-8B-Q4_K_M.gguf"},
        },
    }


def without_metadata() -> dict[str, Any]:
    return {"internal": [["Hi", "Hello <b>"]], "visible": [["Hi", "Hello &lt;b&gt;"]]}


def legacy() -> dict[str, Any]:
    return {
        "data": [["<|BEGIN-VISIBLE-CHAT|>", "Welcome"], ["Hi", "Hello"]],
        "data_visible": [["", "Welcome"], ["Hi", "Hello"]],
    }
