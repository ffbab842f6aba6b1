"""A character as a file to give away: YAML as in the user's folder, or a picture that carries it (character card).

The card is a PNG with a tEXt chunk `chara` that holds base64 JSON of the second version of TavernAI's cards.
"""

import base64
import json
import zlib
from typing import Final

from modules.errors import BadRequest
from modules.library.characters.characters import Character
from modules.library.characters.pictures import PNG_MAGIC
from modules.library.text_files import yaml_text

# The magic number, then the header chunk: length, name, 13 bytes, checksum.
_AFTER_HEADER: Final = len(PNG_MAGIC) + 4 + 4 + 13 + 4


def yaml_file(character: Character) -> bytes:
    fields = {"name": character.name, "greeting": character.greeting, "context": character.context}
    return yaml_text({key: value for key, value in fields.items() if value}).encode()


def card_file(character: Character, png: bytes) -> bytes:
    """The picture `png` with the character in it. Raises BadRequest for what is no PNG."""
    if not png.startswith(PNG_MAGIC) or len(png) < _AFTER_HEADER:
        raise BadRequest("A card needs a PNG picture.")
    text = base64.b64encode(json.dumps(_card(character), ensure_ascii=False).encode())
    return png[:_AFTER_HEADER] + _chunk(b"tEXt", b"chara\0" + text) + png[_AFTER_HEADER:]


def _card(character: Character) -> dict[str, object]:
    """`context` is ours: where it is read, nothing has to be put together out of the other texts."""
    texts = {"description": character.context, "context": character.context, "first_mes": character.greeting}
    empty = dict.fromkeys(("personality", "scenario", "mes_example"), "")
    return {"spec": "chara_card_v2", "spec_version": "2.0", "data": {"name": character.name, **texts, **empty}}


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)
