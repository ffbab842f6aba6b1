"""A job under way in a llama.cpp context, and what no job may ask."""

from dataclasses import dataclass, field
from typing import Final

from modules.backends.kv.plan import KvSlot
from modules.backends.llamacpp.tokenizer import LlamaTokenizer
from modules.backends.multimodal.cells import text_only
from modules.backends.sampling.job_sampler import JobSampler
from modules.engine.constraints.matcher import Guide
from modules.engine.types import Job, ModelCard, TokenLogprob
from modules.errors import BadRequest, ContextTooLong

# llama_decode's result when no KV cell is free; others are failures.
_NO_ROOM: Final = 1
# It was told to stop, and has left nothing behind of the micro-batch that it computed.
ABORTED: Final = 2


@dataclass(slots=True, eq=False)
class LlamaTask:
    """A job with its place in the cache; the sampler is made for its first token, and looks back at `history`."""

    job: Job
    slot: KvSlot
    guide: Guide | None
    sampler: JobSampler | None = None
    history: list[int] = field(default_factory=list)
    scored: list[TokenLogprob | None] = field(default_factory=list)


def check_job(job: Job, card: ModelCard, tokenizer: LlamaTokenizer) -> None:
    """Raises BadRequest, ContextTooLong."""
    generation = job.generation
    tokens, sampling = generation.prompt.tokens, generation.sampling
    if not tokens:
        raise BadRequest("The prompt is empty. Send at least one token.", param="prompt")
    if len(tokens) > card.context - (generation.max_tokens != 0):
        raise ContextTooLong(prompt_tokens=len(tokens), context=card.context, param="prompt")
    has_media = bool(generation.prompt.media)
    for param, ids in (
        ("prompt", text_only(tokens) if has_media else tokens),
        ("logit_bias", sampling.logit_bias),
        ("custom_token_bans", sampling.banned_tokens),
    ):
        for token in ids:
            tokenizer.check(token, param)


def is_done(result: int) -> bool:
    """Whether llama_decode, which returned `result`, computed what it should; False when the cache has no room. A context
    that breaks in other ways cannot be used again."""
    if result not in (0, _NO_ROOM):
        raise RuntimeError(f"llama_decode failed with {result}")
    return result == 0
