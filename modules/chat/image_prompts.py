"""Descriptions of pictures, made richer by the chat model."""

from typing import Final

from modules.chat.service import ChatService
from modules.errors import EngineFailed
from modules.messages import Message, Role, TextPart
from modules.reply.gather import gather
from modules.requests import ChatRequest, Limits
from modules.sampling import Sampling

OWNER: Final = "image-prompts"
_INSTRUCTION: Final = (
    "You write prompts for a model that draws pictures. Rewrite the description that the user gives: keep everything that "
    "it says, and add what a painter would have to know of the subject, the setting, the light, the colours and the "
    "style. Answer with the new description alone, in one paragraph, in the user's language."
)
_MAX_TOKENS: Final = 300
_QUOTES: Final = "\"'“”„«»` \n\t"


async def richer_prompt(chat: ChatService, prompt: str, *, owner: str = OWNER) -> str:
    """`prompt` with more of what is to be seen. Raises what `chat` does, and EngineFailed for an empty answer."""
    request = ChatRequest(
        model=None,
        messages=(
            Message(role=Role.SYSTEM, parts=(TextPart(_INSTRUCTION),)),
            Message(role=Role.USER, parts=(TextPart(prompt),)),
        ),
        sampling=Sampling(temperature=0.8, top_p=0.95),
        limits=Limits(max_tokens=_MAX_TOKENS),
        # Templates that know the switch leave out what nobody would read.
        template_arguments={"enable_thinking": False},
    )
    reply = await gather(chat.chat(request, owner=owner))
    text = reply.choices[0].text.strip(_QUOTES)
    if not text:
        raise EngineFailed("The chat model answered nothing. Try again, or write the prompt yourself.")
    return text
