"""Pictures of earlier turns are left out with a note; those of the last turn are refused."""

import pytest

from modules.errors import BadRequest
from modules.messages import AudioPart, ImagePart, Message, Role, TextPart
from modules.prompt.builder import PromptBuilder
from modules.prompt.conversation.trim import readable
from tests.prompt.prompting import bot, chat, user
from tests.scripted import scripted_card

PICTURE = ImagePart("data:,", param="messages[0].content[1].image_url")
SOUND = AudioPart("data:,")
DEAF = scripted_card(modalities=("text",))
LOOK = Message(role=Role.USER, parts=(TextPart("look"), PICTURE))


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ((TextPart("look"), PICTURE), "look\n[picture left out]"),
        ((PICTURE, TextPart("look")), "[picture left out]\nlook"),
        ((PICTURE,), "[picture left out]"),
        ((PICTURE, SOUND, TextPart("a"), TextPart("b")), "[picture left out]\n[sound left out]\nab"),
        ((TextPart(""), SOUND), "[sound left out]"),
    ],
)
def test_notes_stand_on_lines_of_their_own(parts: tuple[TextPart | ImagePart | AudioPart, ...], text: str) -> None:
    [turn, *_] = readable([Message(role=Role.USER, parts=parts), bot("ok"), user("and?")], ("text",))
    assert turn.text == text


@pytest.mark.parametrize("role", [Role.USER, Role.TOOL, Role.SYSTEM, Role.ASSISTANT])
async def test_earlier_pictures_are_left_out_and_named(role: Role) -> None:
    request = chat(user("hi"), Message(role=role, parts=LOOK.parts), bot("ok"), user("and?"))
    written = await PromptBuilder().written(DEAF, request)
    assert "look\n[picture left out]<|im_end|>" in written.text
    assert written.repairs[0] == "pictures-left-out"


async def test_without_pictures_nothing_is_named() -> None:
    assert (await PromptBuilder().written(DEAF, chat(user("hi"), bot("ok"), user("and?")))).repairs == ()


@pytest.mark.parametrize(
    "messages",
    [
        [LOOK],
        [user("hi"), bot("ok"), LOOK],
        # What a tool shows belongs to what was asked last.
        [user("hi"), Message(role=Role.TOOL, parts=(PICTURE,))],
    ],
)
async def test_pictures_of_the_last_turn_are_refused(messages: list[Message]) -> None:
    with pytest.raises(BadRequest, match="--mmproj") as refused:
        await PromptBuilder().written(DEAF, chat(*messages))
    assert (refused.value.code, refused.value.param) == ("image_not_supported", PICTURE.param)


def test_a_model_that_sees_and_does_not_hear_gets_the_pictures() -> None:
    [turn, *_] = readable(
        [Message(role=Role.USER, parts=(PICTURE, SOUND, TextPart("a"))), bot("ok"), user("and?")], ("text", "image")
    )
    assert turn.parts == (PICTURE, TextPart("[sound left out]\n"), TextPart("a"))
