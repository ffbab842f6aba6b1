"""The values that cross the seam between the product and a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

import msgspec

from modules.sampling import Sampling


class Finish(StrEnum):
    """Why a reply ended: STOP is an end-of-generation token or a stop string, LENGTH a token or context limit."""

    STOP = "stop"
    LENGTH = "length"


class ModelKind(StrEnum):
    """What a model is for."""

    CHAT = "chat"
    EMBEDDING = "embedding"
    RERANK = "rerank"
    MODERATION = "moderation"
    IMAGE = "image"
    SPEECH = "speech"
    TRANSCRIPTION = "transcription"

    @property
    def is_media(self) -> bool:
        return self in {ModelKind.IMAGE, ModelKind.SPEECH, ModelKind.TRANSCRIPTION}


TextKind: TypeAlias = Literal[ModelKind.CHAT, ModelKind.EMBEDDING, ModelKind.RERANK, ModelKind.MODERATION]
MediaModelKind: TypeAlias = Literal[ModelKind.IMAGE, ModelKind.SPEECH, ModelKind.TRANSCRIPTION]


class MediaKind(StrEnum):
    """What a model can read beside text."""

    IMAGE = "image"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """A picture or a sound that a prompt holds, decoded.

    `data` are `height` rows of `width` RGB pixels of three bytes, or mono samples, `rate` a second, as little-endian
    32-bit floats. `digest` is SHA-256 over the kind, the sizes and the data: what caches know it by.
    """

    kind: MediaKind
    data: bytes = field(repr=False)
    digest: bytes
    width: int = 0
    height: int = 0
    rate: int = 0

    @property
    def shape(self) -> "MediaShape":
        samples = len(self.data) // 4 if self.kind is MediaKind.AUDIO else 0
        return MediaShape(kind=self.kind, digest=self.digest, width=self.width, height=self.height, samples=samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaShape:
    """What decides which tokens stand for a picture or a sound: all of `Media` but the data."""

    kind: MediaKind
    digest: bytes
    width: int = 0
    height: int = 0
    samples: int = 0


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads first: token ids, already complete (BOS included where the model wants one). Ids
    below 0 stand for the cells of `media`, in order, as `Engine.media_tokens` gave them: they are made from the digests,
    so that prompts with different pictures differ in their tokens."""

    tokens: tuple[int, ...]
    media: tuple[Media, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """What the reply must match. `kind` is "json_schema", "regex", "lark" or "gbnf"; `text` its source, `param` the request
    field that it comes from, for refusals."""

    kind: str
    text: str
    param: str = "response_format"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """Reasoning before the answer: it is free, whatever the constraint, and ends with the text `end`.

    With `is_open` the prompt ends within the thought; without, the model may begin one with the text `start`.
    After `budget` tokens (None: any number) the backend makes the model write `end`.
    """

    end: str
    start: str = ""
    is_open: bool = False
    budget: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """One request to an engine: a prompt and how to go on from it.

    `max_tokens` None means up to the end of the context; 0 only scores the prompt. `logprobs` and `prompt_logprobs` are
    the numbers of alternatives wanted per token (0: only the token itself), None off. `sampled_logprobs` reports them
    after the samplers instead of from the raw distribution. `stop` strings end the reply where they first occur in its
    text and are cut from it; `stop_token_ids` likewise. `constraint` holds from the end of the `thought` on, or from the
    first token where there is none. `prediction` is what the reply is expected to be like: tokens that may be drafted. `adapters` are applied, where None those of the load. `embedding` asks for the
    prompt's vector in place of a reply: so many of its numbers, 0 for all, at length 1 if it is not `raw_embedding`.
    """

    prompt: Prompt
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    min_tokens: int = 0
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    sampled_logprobs: bool = False
    constraint: Constraint | None = None
    thought: Thought | None = None
    prediction: tuple[int, ...] = ()
    skip_special_tokens: bool = True
    embedding: int | None = None
    raw_embedding: bool = False
    adapters: "tuple[Adapter, ...] | None" = None


@dataclass(frozen=True, slots=True)
class Job:
    """A generation on its way through a backend; `id` is unique within one backend's life."""

    id: int
    generation: Generation


@dataclass(frozen=True, slots=True)
class Alternative:
    """One candidate for a position: `data` are the token's raw bytes, `logprob` its natural-log probability."""

    token: int
    data: bytes
    logprob: float


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """The token at a position, with the most likely alternatives there, best first."""

    token: int
    data: bytes
    logprob: float
    top: tuple[Alternative, ...] = ()


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """`done` of `total` prompt tokens are in the KV cache, `cached` found: of those see `Usage`."""

    done: int
    total: int
    cached: int
    from_disk: int = 0
    shared: int = 0
    moved: int = 0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens counted where they were processed. Of the prompt `cached_tokens` were not computed, of these `disk_tokens` read
    from files, `shared_tokens` with running jobs, `moved_tokens` from behind others; the rest took `prompt_steps`. Of the
    completion `reasoning_tokens` were thought (0 in the engine), `forced_tokens` all its constraint allowed, `accepted_tokens`
    drafted; `rejected_tokens` are no part of it. Of these two `predicted_tokens` and `mispredicted_tokens` came from a
    prediction. Times go to the first step, first token, end."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    accepted_tokens: int = 0
    rejected_tokens: int = 0
    image_tokens: int = 0
    audio_tokens: int = 0
    disk_tokens: int = 0
    forced_tokens: int = 0
    predicted_tokens: int = 0
    mispredicted_tokens: int = 0
    has_prediction: bool = False
    shared_tokens: int = 0
    moved_tokens: int = 0
    prompt_steps: int = field(default=0, compare=False)
    queue_ms: float = field(default=0.0, compare=False)
    prefill_ms: float = field(default=0.0, compare=False)
    decode_ms: float = field(default=0.0, compare=False)

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class Chunk(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of a reply: whole characters of text, never part of a stop string, and what belongs to them.

    `starts` says of each of `tokens` at which character of `text` its own begins; without, all are taken to begin with
    the chunk. `accepted` of its tokens had been drafted, `rejected` more in vain; `predicted` and `mispredicted` of these
    came from the prediction. `forced` of its tokens were the only ones allowed. The last chunk of a reply, and no other,
    has `finish` and `usage`, and `end_logprob` when a token that is not part of the reply ended it.
    """

    text: str = ""
    tokens: tuple[int, ...] = ()
    starts: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_logprobs: tuple[TokenLogprob | None, ...] | None = None
    progress: PromptProgress | None = None
    finish: Finish | None = None
    stop_reason: str | int | None = None
    end_logprob: TokenLogprob | None = None
    usage: Usage | None = None
    embedding: bytes | None = None
    accepted: int = 0
    rejected: int = 0
    forced: int = 0
    predicted: int = 0
    mispredicted: int = 0

    @staticmethod
    def join(chunks: "Sequence[Chunk]") -> "Chunk":
        """One chunk that says what all of `chunks`, in order, say."""
        last = chunks[-1]
        starts: list[int] = []
        length = 0
        for chunk in chunks:
            starts += (length + start for start in chunk.starts or (0,) * len(chunk.tokens))
            length += len(chunk.text)
        return Chunk(
            text="".join(chunk.text for chunk in chunks),
            tokens=tuple(token for chunk in chunks for token in chunk.tokens),
            starts=tuple(starts),
            logprobs=tuple(logprob for chunk in chunks for logprob in chunk.logprobs),
            prompt_logprobs=next((c.prompt_logprobs for c in chunks if c.prompt_logprobs is not None), None),
            progress=next((c.progress for c in reversed(chunks) if c.progress is not None), None),
            finish=last.finish,
            stop_reason=last.stop_reason,
            end_logprob=last.end_logprob,
            usage=last.usage,
            embedding=last.embedding,
            accepted=sum(chunk.accepted for chunk in chunks),
            rejected=sum(chunk.rejected for chunk in chunks),
            forced=sum(chunk.forced for chunk in chunks),
            predicted=sum(chunk.predicted for chunk in chunks),
            mispredicted=sum(chunk.mispredicted for chunk in chunks),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA adapter: what it adds to the model's weights is multiplied by `scale`. `path` is absolute."""

    name: str
    path: str
    scale: float = 1.0


# Tokens of one draft, at most: wide steps compute a token soonest, but from 64 on they round otherwise (planner.py).
MAX_DRAFT: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSpec:
    """A smaller model that guesses what the main one will say; `path` is absolute. A draft has at most `most` tokens.
    `context` 0 means that of the main model. The loader's options say the rest."""

    name: str
    path: str
    most: int = 4
    context: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What is true of a loaded model: the caller reads here what it may ask for.

    `context` is the most tokens one request may use, prompt and reply together; `trained_context` what it was trained
    for. `chat_template` is its own, `instruction_template` the one that it was loaded with instead, as Jinja source.
    `control_tokens` are the texts that the tokenizer makes control tokens. `gpu_bytes` is what it takes on GPUs, 0 where
    not known; `growth_bytes` of main memory it takes as it is used. `recommended_sampling` are fields of `Sampling`.
    `modalities` are "text" and the media that it reads, with its `projector`; sounds come with `audio_rate` samples a
    second. Vectors of an embedding model have `embedding_size` numbers, and its prompts begin and end with the tokens of
    `embedding_frame`. Those of a rerank model are its scores of a pair of texts, which stand between the three parts of
    `pair_frame`; those of a moderation model the scores of its labels, in the order of `label_groups`, where those of a
    group exclude each other. `embedding_prompts` are names, such as "query", with what goes before a text of that role.
    `draft` names the model that drafts for it, `adapters` its LoRA adapters, `unsupported` the sampling fields that its
    backend ignores. `tuning` says what a self-test chose, and why. It keeps `disk_cache` bytes at most on disk.
    """

    name: str
    loader: str
    context: int
    vocabulary: int
    trained_context: int = 0
    parallel: int = 1
    architecture: str = ""
    parameters: int = 0
    size_bytes: int = 0
    gpu_bytes: int = 0
    tuning: str = ""
    growth_bytes: int = 0
    chat_template: str | None = None
    instruction_template: str = ""
    bos_token: str = ""
    eos_token: str = ""
    bos_id: int | None = None
    eos_ids: tuple[int, ...] = ()
    adds_bos: bool = False
    control_tokens: tuple[str, ...] = ()
    infill_tokens: tuple[int, int, int] | None = None
    modalities: tuple[str, ...] = ("text",)
    audio_rate: int = 0
    projector: str = ""
    can_constrain: bool = False
    can_score: bool = True
    can_adapt: bool = False
    adapters: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    draft: str = ""
    kind: ModelKind = ModelKind.CHAT
    embedding_size: int = 0
    embedding_frame: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
    pair_frame: tuple[tuple[int, ...], ...] = ()
    embedding_prompts: tuple[tuple[str, str], ...] = ()
    label_groups: tuple[tuple[str, ...], ...] = ()
    recommended_sampling: tuple[tuple[str, int | float], ...] = ()
    replay: tuple[tuple[str, str | int | bool], ...] = ()
    disk_cache: int = 0

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the model can be asked for, in the words that Ollama has for it."""
        if self.kind is not ModelKind.CHAT:
            return (self.kind.value,)
        template = self.instruction_template or self.chat_template or ""
        found = {
            "completion": True,
            "tools": "tools" in template,
            "thinking": "think" in template,
            "vision": "image" in self.modalities,
            "audio": "audio" in self.modalities,
            "insert": self.infill_tokens is not None,
        }
        return tuple(name for name, can in found.items() if can)


OptionValue: TypeAlias = bool | int | float | str | tuple[float | str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """Everything a loader needs to bring a model up; `path` is absolute, and empty for a model without a file.

    `context` 0 means what the model was trained for. `options` are the loader's own, by setting name, untyped; those left
    out have its defaults. `with_code` lets the model run Python code of its folder. `threads` are those of media models.
    What a loader measures it may keep in `cache_folder`, where there is one.
    """

    name: str
    path: str
    loader: str
    context: int = 8192
    parallel: int = 8
    options: Mapping[str, OptionValue] = field(default_factory=dict, hash=False)
    adapters: tuple[Adapter, ...] = ()
    instruction_template: str = ""
    max_queue: int = 256
    kind: ModelKind = ModelKind.CHAT
    draft: DraftSpec | None = None
    ngram_tokens: int = 0
    with_code: bool = False
    threads: int = field(default=1, compare=False)
    cache_folder: str = field(default="", compare=False)

    @property
    def speculates(self) -> bool:
        """Whether tokens are guessed. Without a `draft` model, `ngram_tokens` at once, from what was said before."""
        return self.draft is not None or self.ngram_tokens > 0
