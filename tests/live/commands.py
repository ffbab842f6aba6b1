"""The commands that the users of this API's forerunner were told to type. They have to be answered as they stand."""

from typing import Final

COMPLETION: Final = r"""
curl http://127.0.0.1:5000/v1/completions \
  -H "Content-Type: application/json" \
  -d '{ "prompt": "This is a cake recipe:\n\n1.", "max_tokens": 512, "temperature": 0.6, "top_p":
0.95, "top_k": 20 }'
"""

CHAT: Final = r"""
curl http://127.0.0.1:5000/v1/chat/completions \
  -H "Content-Type: application/json" \
  -d '{ "messages": [ { "role": "user", "content": "Hello!" } ], "temperature": 0.6, "top_p": 0.95,
"top_k": 20 }'
"""

CHARACTER: Final = r"""
curl http://127.0.0.1:5000/v1/chat/completions \
  -H "Content-Type: application/json" \
  -d '{ "messages": [ { "role": "user", "content": "Hello! Who are you?" } ], "mode": "chat-instruct",
"character": "Example", "temperature": 0.6, "top_p": 0.95, "top_k": 20 }'
"""

VISION: Final = r"""
curl http://127.0.0.1:5000/v1/chat/completions \
  -H "Content-Type: application/json" \
  -d '{ "messages": [ { "role": "user", "content": [ {"type": "text", "text": "Please describe what you see in this image."},
{"type": "image_url", "image_url": {"url":
"https://github.com/turboderp-org/exllamav3/blob/master/examples/media/cat.png?raw=true"}}
] } ], "temperature": 0.6, "top_p": 0.95, "top_k": 20 }'
"""

VISION_COMPLETION: Final = r"""
curl http://127.0.0.1:5000/v1/completions \
  -H "Content-Type: application/json" \
  -d '{ "messages": [ { "role": "user", "content": [ { "type": "text", "text": "About image <__media__> and image <__media__>, what I can say is that the first one"
}, { "type": "image_url", "image_url": { "url":
"https://github.com/turboderp-org/exllamav3/blob/master/examples/media/cat.png?raw=true"
} }, { "type": "image_url", "image_url": { "url":
"https://github.com/turboderp-org/exllamav3/blob/master/examples/media/strawberry.png?raw=true"
} } ] } ], "temperature": 0.6, "top_p": 0.95, "top_k": 20 }'
"""

IMAGE: Final = r"""
curl http://127.0.0.1:5000/v1/images/generations \
  -H "Content-Type: application/json" \
  -d '{ "prompt": "an orange tree", "steps": 9, "cfg_scale": 0, "batch_size": 1, "batch_count": 1 }'
"""

STREAM: Final = r"""
curl http://127.0.0.1:5000/v1/chat/completions \
  -H "Content-Type: application/json" \
  -d '{ "messages": [ { "role": "user", "content": "Hello!" } ], "temperature": 0.6, "top_p": 0.95,
"top_k": 20, "stream": true }'
"""

LOGITS: Final = r"""
curl -k http://127.0.0.1:5000/v1/internal/logits \
  -H "Content-Type: application/json" \
  -d '{ "prompt": "Who is best, Asuka or Rei? Answer:", "use_samplers": false }'
"""

SAMPLED_LOGITS: Final = r"""
curl -k http://127.0.0.1:5000/v1/internal/logits \
  -H "Content-Type: application/json" \
  -d '{ "prompt": "Who is best, Asuka or Rei? Answer:", "use_samplers": true, "top_k": 3 }'
"""

LIST_MODELS: Final = r"""
curl -k http://127.0.0.1:5000/v1/internal/model/list \
  -H "Content-Type: application/json"
"""

LOAD_MODEL: Final = r"""
curl -k http://127.0.0.1:5000/v1/internal/model/load \
  -H "Content-Type: application/json" \
  -d '{ "model_name": "Qwen_Qwen3-0.6B-Q4_K_M.gguf", "args": { "ctx_size": 32768, "flash_attn": true,
"cache_type": "q8_0" } }'
"""

TOOLS: Final = r"""
curl http://127.0.0.1:5000/v1/chat/completions \
  -H "Content-Type: application/json" \
  -d '{ "messages": [ { "role": "system", "content": "You are a helpful assistant." },
{ "role": "user", "content": "What time is it currently in New York City?" } ],
"tools": [ { "type": "function", "function": { "name": "get_current_time",
"description": "Get current time in a specific timezones", "parameters": {
"type": "object", "required": ["timezone"], "properties": { "timezone": {
"type": "string", "description": "IANA timezone name (e.g., America/New_York, Europe/London). Use Europe/Berlin as local timezone if no timezone provided by the user."
} } } } } ] }'
"""

MODEL_TO_LOAD: Final = "Qwen_Qwen3-0.6B-Q4_K_M.gguf"

ALL: Final = (
    COMPLETION,
    CHAT,
    CHARACTER,
    VISION,
    VISION_COMPLETION,
    IMAGE,
    STREAM,
    LOGITS,
    SAMPLED_LOGITS,
    LIST_MODELS,
    LOAD_MODEL,
    TOOLS,
)
