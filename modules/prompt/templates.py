"""Which chat template a conversation is written with."""

from dataclasses import dataclass
from typing import Final

from modules.engine.types import ModelCard


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A Jinja template, and the texts at which a model that was not trained on it would begin to speak for the user."""

    source: str
    stop: tuple[str, ...] = ()


# The Alpaca format: what users of base models know, and nothing in it needs a special token.
ALPACA: Final = ChatTemplate(
    source=(
        "{%- set system = namespace(text='Below is an instruction that describes a task. "
        "Write a response that appropriately completes the request.') -%}"
        "{%- for message in messages if message.role == 'system' -%}"
        "{%- set system.text = message.content -%}"
        "{%- endfor -%}"
        "{{- system.text -}}"
        "{%- for message in messages if message.role != 'system' -%}"
        "{%- if message.role == 'assistant' -%}"
        "{{- '\\n\\n### Response:\\n' ~ message.content -}}"
        "{%- elif message.role == 'tool' -%}"
        "{{- '\\n\\n### Input:\\n' ~ message.content -}}"
        "{%- else -%}"
        "{{- '\\n\\n### Instruction:\\n' ~ message.content -}}"
        "{%- endif -%}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}"
        "{{- '\\n\\n### Response:\\n' -}}"
        "{%- endif -%}"
    ),
    stop=("\n\n### Instruction:", "\n\n### Response:", "\n### Instruction:", "\n### Response:"),
)


def choose_template(card: ModelCard) -> ChatTemplate:
    """The model's own template, or Alpaca for a model that has none."""
    return ChatTemplate(card.chat_template) if card.chat_template else ALPACA
