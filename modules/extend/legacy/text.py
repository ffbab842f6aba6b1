"""`modules.text_generation` and `modules.chat` for old scripts: tokens, prompts and replies."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy

from modules.events import Content
from modules.extend.legacy.program import OldProgram
from modules.extend.legacy.state import chat_state, conversation_of, generation_of, with_chat_state
from modules.messages import Role, text_message
from modules.requests import ChatRequest, CompletionRequest

_OWNER: Final = "extensions"


class Texts:
    """Requests of scripts pass no hooks: those would be the scripts' own, which are waiting for the answer."""

    def __init__(self, program: OldProgram) -> None:
        self._program = program

    def generation_functions(self) -> dict[str, Any]:
        return {
            "encode": self.encode,
            "decode": self.decode,
            "get_encoded_length": self.encoded_length,
            "generate_reply": self.generate_reply,
            "stop_everything_event": self.stop,
            "get_max_prompt_length": self.room,
        }

    def chat_functions(self) -> dict[str, Any]:
        return {
            "generate_chat_prompt": self.chat_prompt,
            "get_stopping_strings": lambda state: list(state.get("stopping_strings", ())),
            "get_encoded_length": self.encoded_length,
            "replace_character_names": replace_character_names,
        }

    def encode(
        self,
        prompt: str,
        add_special_tokens: bool = True,
        add_bos_token: bool = True,
        truncation_length: int | None = None,
    ) -> Any:  # noqa: ANN401 - an array
        """Token ids in one row."""
        has_bos = add_special_tokens and add_bos_token
        ids = self._program.wait(self._program.runtime.chat.encode(str(prompt), add_bos=has_bos))
        return numpy.array([ids[-truncation_length:] if truncation_length else ids], dtype=numpy.int64)

    def decode(self, output_ids: Any, skip_special_tokens: bool = True) -> str:  # noqa: ANN401 - ids in any form
        ids = [int(token) for token in numpy.asarray(output_ids).reshape(-1)]
        return self._program.wait(self._program.runtime.chat.decode(ids))

    def encoded_length(self, prompt: str) -> int:
        return int(self.encode(prompt).shape[-1])

    def generate_reply(
        self,
        question: str,
        state: dict[str, Any],
        stopping_strings: Sequence[str] | None = None,
        is_chat: bool = False,
        escape_html: bool = False,
        for_ui: bool = False,
    ) -> Iterator[str]:
        """The text so far, again and again, as the model goes on from `question`."""
        sampling, limits = generation_of(
            {**state, "stopping_strings": [*state.get("stopping_strings", ()), *(stopping_strings or ())]},
            self._program.settings,
        )
        request = CompletionRequest(model=None, prompts=(question,), sampling=sampling, limits=limits)
        runtime = self._program.runtime
        text = ""
        for event in self._program.items(runtime.unhooked_chat.complete(request, owner=_OWNER)):
            if isinstance(event, Content) and event.text:
                text += event.text
                yield text

    def chat_prompt(self, user_input: str, state: dict[str, Any], **options: Any) -> Any:  # noqa: ANN401 - see below
        """The prompt that the program itself would make; with `also_return_rows`, the conversation's rows too."""
        history = options.get("history", state.get("history", {}))
        empty = ChatRequest(model=None, messages=())
        library = self._program.runtime.library
        request = with_chat_state(
            empty, chat_state(empty, self._program.settings, library), state, self._program.settings
        )
        continues = bool(options.get("_continue"))
        asked = () if continues or not user_input else (text_message(Role.USER, user_input),)
        rows = conversation_of(asked).messages(history, user_input)
        system = request.messages
        request = ChatRequest(
            model=None,
            messages=(*system, *rows),
            persona=request.persona,
            template=request.template,
            template_arguments=request.template_arguments,
            continue_last=continues,
        )
        prompt = self._program.wait(self._program.runtime.chat.render(request))
        return (prompt, history.get("internal", [])) if options.get("also_return_rows") else prompt

    def stop(self) -> None:
        async def stop() -> None:
            self._program.runtime.work.stop_all()

        self._program.wait(stop())

    def room(self, state: dict[str, Any]) -> int:
        card = self._program.runtime.models.state.card
        context = card.context if card else self._program.settings.ctx_size
        return max(0, context - int(state.get("max_new_tokens", 0)))


def replace_character_names(text: str, name1: str, name2: str) -> str:
    for places, name in ((("{{user}}", "<USER>"), name1), (("{{char}}", "<BOT>"), name2)):
        for place in places:
            text = text.replace(place, name)
    return text
