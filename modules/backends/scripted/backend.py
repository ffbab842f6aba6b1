"""A backend without a model, for demos and tests: the last words of its prompt say what it does.

"echo: TEXT" says TEXT · "count N" counts to N · "slow N" says N letters, 20 ms apart · "talk N R" says N
words, R tokens a second, or 500 · "sampling" says temperature, top-p, top-k and min-p that it was asked with · "stall" says one word and waits · "fail" breaks the backend · "crash" ends the process it runs in · anything else
is repeated back. A picture reads as "[image 64x48 #ff0000]", its size and average colour, a sound as "[audio 1.50 s]". In a turn of several lines that does not begin with an echo, the last line that is one of the first four
counts: programs put texts of their own around what their user wrote.
One token is one byte of UTF-8; three more are control tokens. Under a constraint it says what it was going to say for as
long as that is allowed, and then whatever completes the reply soonest.
"""

import os
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from modules.backends.scripted.media import AUDIO_RATE, media_cells, read_media
from modules.backends.scripted.options import ScriptedOptions
from modules.engine.constraints.compiler import Constraints
from modules.engine.constraints.matcher import Guide
from modules.engine.protocols import Output, ReportProgress
from modules.engine.types import (
    Alternative,
    Finish,
    Generation,
    Job,
    LoadSpec,
    MediaShape,
    ModelCard,
    Prompt,
    PromptProgress,
    TokenLogprob,
)
from modules.errors import BadRequest, ContextTooLong

_CONTROL: Final = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
_BYTES: Final = 256
_END: Final = _BYTES + 1
_FILLER: Final = ord(".")
_CLOSING: Final = (_END, *b'}]"')
# Where nearly every byte is allowed a text is open, in which brackets close nothing.
_CLOSING_IN_TEXT: Final = (_END, *b'"')
_MANY: Final = 128
_LAST: Final = b" ,.\t\n\r"
# Slow enough for tests to act while a reply runs, fast enough not to be waited for.
_SLOW_SECONDS: Final = 0.02
_STALL_SECONDS: Final = 0.005
_TALK: Final = b"word "
_TALK_RATE: Final = 500
# Commands that may stand within a longer turn, on a line of their own.
_LINE_COMMAND: Final = re.compile(r"^(?:echo: .+|(?:count|slow|talk) \d+(?: \d+)?)$", re.MULTILINE)
# Exact in binary, so that sums in tests are exact too.
_LIKELY: Final = -0.125
_UNLIKELY: Final = -6.0
CHAT_TEMPLATE: Final = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class ScriptedTokenizer:
    """Bytes are their own ids; control-token texts are single tokens when `special` asks for it."""

    _pattern: Final = re.compile("|".join(re.escape(text) for text in _CONTROL))
    size: Final = _BYTES + len(_CONTROL)
    end_ids: Final = frozenset({_END})

    def encode(self, text: str, *, special: bool) -> list[int]:
        if not special:
            return list(text.encode("utf-8", "surrogatepass"))
        tokens: list[int] = []
        end = 0
        for match in self._pattern.finditer(text):
            tokens += text[end : match.start()].encode("utf-8", "surrogatepass")
            tokens.append(_BYTES + _CONTROL.index(match.group()))
            end = match.end()
        return tokens + list(text[end:].encode("utf-8", "surrogatepass"))

    def decode(self, tokens: Sequence[int]) -> str:
        return b"".join(self.piece(token) for token in tokens).decode("utf-8", "replace")

    def media_tokens(self, shape: MediaShape) -> list[int]:
        return media_cells(shape)

    def piece(self, token: int) -> bytes:
        if not 0 <= token < _BYTES + len(_CONTROL):
            raise BadRequest(f"{token} is not a token of this model.", param="tokens")
        return bytes([token]) if token < _BYTES else _CONTROL[token - _BYTES].encode()

    def shown(self, token: int) -> bytes:
        return self.piece(token)

    def printed(self, token: int) -> bytes:
        return self.piece(token) if token < _BYTES else b""


@dataclass(slots=True)
class _Running:
    job: Job
    script: Iterator[int | None]
    guide: Guide | None = None
    has_read_prompt: bool = False
    count: int = 0

    def next_token(self) -> int | None:
        """None: nothing yet. A reply that may not end yet goes on with dots."""
        token = next(self.script, _END)
        generation = self.job.generation
        if token == _END and (generation.ignore_eos or self.count < generation.min_tokens):
            token = _FILLER
        if self.guide is not None and token is not None:
            token = self._guided(token, self.guide)
        self.count += token is not None
        return token

    def _guided(self, token: int, guide: Guide) -> int:
        if guide.forced is not None:
            token = guide.forced
        elif not guide.is_allowed(token):
            self.script = iter(())
            token = _soonest(guide)
        guide.accept(token)
        return token


class ScriptedBackend:
    """Plays up to `spec.parallel` jobs at once, one token of each per step; more wait in order."""

    def __init__(self, spec: LoadSpec) -> None:
        self._tokenizer = ScriptedTokenizer()
        self._waiting: deque[tuple[Job, Guide | None]] = deque()
        self._running: dict[int, _Running] = {}
        self._card = _card(spec)
        self._constraints = Constraints(self._tokenizer)

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def tokenizer(self) -> ScriptedTokenizer:
        return self._tokenizer

    @property
    def has_work(self) -> bool:
        return bool(self._running or self._waiting)

    def is_prepared(self, job: Job) -> bool:
        return self._constraints.is_prepared(job.generation)

    def prepare(self, job: Job) -> Guide | None:
        return self._constraints.prepare(job.generation)

    def admit(self, job: Job, guide: Guide | None) -> None:
        generation, sampling = job.generation, job.generation.sampling
        tokens = generation.prompt.tokens
        if not tokens:
            raise BadRequest("The prompt is empty.", param="prompt")
        if len(tokens) > self._card.context - (generation.max_tokens != 0):
            raise ContextTooLong(prompt_tokens=len(tokens), context=self._card.context, param="prompt")
        for token in (*self._read(generation.prompt), *sampling.logit_bias, *sampling.banned_tokens):
            self._tokenizer.piece(token)
        self._waiting.append((job, guide))

    def step(self) -> Iterable[Output]:
        while self._waiting and len(self._running) < self._card.parallel:
            job, guide = self._waiting.popleft()
            self._running[job.id] = _Running(job, self._script(job.generation), guide)
        outputs = [output for running in self._running.values() for output in self._advance(running)]
        if not outputs:
            time.sleep(_STALL_SECONDS)
        return outputs

    def drop(self, job_id: int) -> None:
        self._running.pop(job_id, None)
        self._waiting = deque(entry for entry in self._waiting if entry[0].id != job_id)

    def close(self) -> None:
        self._running.clear()
        self._waiting.clear()

    def _advance(self, running: _Running) -> Iterator[Output]:
        job = running.job
        if not running.has_read_prompt:
            running.has_read_prompt = True
            yield from self._read_prompt(job)
            if job.generation.max_tokens == 0:
                return
        token = running.next_token()
        if token is None:
            return
        wanted = job.generation.logprobs
        logprob = None if wanted is None else self._logprob(token, wanted)
        if token == _END:
            yield Output(job_id=job.id, logprob=logprob, finish=Finish.STOP, stop_token=_END)
            return
        yield Output(
            job_id=job.id,
            token=token,
            data=self._tokenizer.piece(token),
            logprob=logprob,
            finish=Finish.STOP if running.guide is not None and running.guide.is_complete else None,
        )

    def _read_prompt(self, job: Job) -> Iterator[Output]:
        generation = job.generation
        total = len(generation.prompt.tokens)
        yield Output(job_id=job.id, progress=PromptProgress(total, total, 0))
        if generation.prompt_logprobs is None and generation.max_tokens != 0:
            return
        scored = None
        if (wanted := generation.prompt_logprobs) is not None:
            scored = (
                None,
                *(self._logprob(token, wanted) if token >= 0 else None for token in generation.prompt.tokens[1:]),
            )
        finish = Finish.LENGTH if generation.max_tokens == 0 else None
        yield Output(job_id=job.id, prompt_logprobs=scored, finish=finish)

    def _logprob(self, token: int, wanted: int) -> TokenLogprob:
        others = [candidate for candidate in range(wanted + 1) if candidate != token][: max(0, wanted - 1)]
        ranked = [(token, _LIKELY), *((other, _UNLIKELY) for other in others)][:wanted]
        top = tuple(Alternative(token, self._tokenizer.piece(token), value) for token, value in ranked)
        return TokenLogprob(token, self._tokenizer.piece(token), _LIKELY, top)

    def _read(self, prompt: Prompt) -> list[int]:
        """The prompt with its media described in words."""
        if not prompt.media:
            return list(prompt.tokens)
        read = [list(each.encode()) if isinstance(each, str) else [each] for each in read_media(prompt)]
        return [token for tokens in read for token in tokens]

    def _script(self, generation: Generation) -> Iterator[int | None]:
        words = _last_turn(self._tokenizer.decode(self._read(generation.prompt)))
        command, _, argument = words.partition(" ")
        match command:
            case "echo:":
                yield from argument.encode()
            case "count" if argument.isdecimal():
                yield from " ".join(str(number) for number in range(1, int(argument) + 1)).encode()
            case "slow" if argument.isdecimal():
                yield from _paced((ord("a") + number % 26 for number in range(int(argument))), _SLOW_SECONDS)
            case "talk" if argument.replace(" ", "").isdecimal():
                count, _, rate = argument.partition(" ")
                yield from _paced(_TALK * int(count), 1 / int(rate or _TALK_RATE))
            case "sampling":
                asked = generation.sampling
                yield from f"{asked.temperature:g} {asked.top_p:g} {asked.top_k} {asked.min_p:g}".encode()
            case "stall":
                yield from b"waiting"
                while True:
                    yield None
            case "fail":
                raise RuntimeError("the script says fail")
            case "crash":
                os._exit(1)
            case _:
                yield from f"You said: {words}".encode()


def _paced(letters: Iterable[int], seconds: float) -> Iterator[int]:
    for letter in letters:
        time.sleep(seconds)
        yield letter


class ScriptedLoader:
    """Needs no file."""

    def probe(self, spec: LoadSpec) -> ModelCard:
        return _card(spec)

    def load(self, spec: LoadSpec, report: ReportProgress) -> ScriptedBackend:
        report(1.0)
        return ScriptedBackend(spec)


def _card(spec: LoadSpec) -> ModelCard:
    own = {name: value for name, value in spec.options.items() if name in ScriptedOptions.model_fields}
    reads_text_only = ScriptedOptions.model_validate(own).scripted_text_only
    return ModelCard(
        name=spec.name,
        loader="scripted",
        context=spec.context or 4096,
        trained_context=4096,
        vocabulary=_BYTES + len(_CONTROL),
        parallel=spec.parallel,
        architecture="scripted",
        chat_template=CHAT_TEMPLATE,
        instruction_template=spec.instruction_template,
        eos_token="<|im_end|>",
        eos_ids=(_END,),
        control_tokens=_CONTROL,
        modalities=("text",) if reads_text_only else ("text", "image", "audio"),
        audio_rate=0 if reads_text_only else AUDIO_RATE,
        can_constrain=True,
        adapters=tuple(adapter.name for adapter in spec.adapters),
    )


def _soonest(guide: Guide) -> int:
    """Of what is allowed: what closes something, rather than what goes on."""
    allowed = [int(token) for token in guide.mask().nonzero()[0]]
    closing = _CLOSING_IN_TEXT if len(allowed) > _MANY else _CLOSING
    ranks = {token: rank for rank, token in enumerate(closing)} | dict.fromkeys(_LAST, len(_CLOSING) + 1)
    return min(allowed, key=lambda token: (ranks.get(token, len(_CLOSING)), token))


def _last_turn(prompt: str) -> str:
    """What the user said last in a ChatML prompt, or the whole prompt when it is none."""
    turns = re.findall(r"<\|im_start\|>user\n(.*?)<\|im_end\|>", prompt, re.DOTALL)
    last: str = (turns[-1] if turns else prompt).strip()
    lines = [] if last.startswith("echo:") else _LINE_COMMAND.findall(last)
    return lines[-1] if lines else last
