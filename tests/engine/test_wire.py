"""What parent and model process say survives the pipe unchanged, and junk on it is refused and never run."""

import pickle
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.engine import wire
from modules.engine.types import (
    Adapter,
    Alternative,
    Chunk,
    Constraint,
    DraftSpec,
    Finish,
    Generation,
    Job,
    LoadSpec,
    Media,
    MediaKind,
    ModelCard,
    ModelKind,
    Prompt,
    PromptProgress,
    Thought,
    TokenLogprob,
    Usage,
)
from modules.errors import (
    BadRequest,
    Busy,
    ContextTooLong,
    EngineFailed,
    LoadFailed,
    NotFound,
    NotSupported,
    ServiceError,
)
from modules.process.failures import ServiceFault, error_of, fault_of
from modules.process.frames import BadMessage, FrameKind, FrameReader, pack
from modules.sampling import Sampling
from tests.splits import cut

SAMPLING = Sampling(
    temperature=0.5,
    dynamic_temperature=True,
    dynatemp_low=0.1,
    dynatemp_high=1.5,
    dynatemp_exponent=2.0,
    smoothing_factor=0.2,
    smoothing_curve=1.5,
    top_p=0.9,
    top_k=40,
    min_p=0.05,
    top_n_sigma=1.5,
    typical_p=0.8,
    xtc_threshold=0.2,
    xtc_probability=0.5,
    epsilon_cutoff=3.0,
    eta_cutoff=4.0,
    tfs=0.95,
    top_a=0.1,
    adaptive_target=0.3,
    adaptive_decay=0.8,
    dry_multiplier=0.8,
    dry_allowed_length=3,
    dry_base=2.0,
    dry_sequence_breakers=("\n", "é"),
    repetition_penalty=1.1,
    frequency_penalty=0.2,
    presence_penalty=-0.2,
    repetition_penalty_range=0,
    encoder_repetition_penalty=1.2,
    no_repeat_ngram_size=3,
    mirostat_mode=2,
    mirostat_tau=4.0,
    mirostat_eta=0.2,
    do_sample=False,
    temperature_last=True,
    sampler_priority=("top_k", "temperature"),
    seed=2**63,
    logit_bias={0: -100.0, 49151: 1.5},
    banned_tokens=(1, 2),
)
PICTURE = Media(kind=MediaKind.IMAGE, data=bytes(range(6)), digest=b"\x80" * 32, width=2, height=1)
SOUND = Media(kind=MediaKind.AUDIO, data=b"\0\0\x80\x3f", digest=b"\x01" * 32, rate=16_000)
GENERATION = Generation(
    prompt=Prompt((1, 2, -9, 151_000), (PICTURE, SOUND)),
    sampling=SAMPLING,
    max_tokens=7,
    min_tokens=2,
    stop=("END", "世"),
    stop_token_ids=(5,),
    ignore_eos=True,
    logprobs=3,
    prompt_logprobs=0,
    sampled_logprobs=True,
    constraint=Constraint(kind="regex", text="a+", param="guided_regex"),
    thought=Thought(end="</think>", start="<think>", is_open=True, budget=3),
    prediction=(7, 8),
    skip_special_tokens=False,
    embedding=64,
    raw_embedding=True,
    adapters=(Adapter(name="l.gguf", path="/l.gguf", scale=0.5),),
)
LOGPROB = TokenLogprob(3, b"\xff\x00", float("-inf"), (Alternative(4, b"\xe4\xb8", -1.25),))
CHUNK = Chunk(
    text="世界 🙂",
    tokens=(3, 4),
    starts=(0, 3),
    logprobs=(LOGPROB,),
    prompt_logprobs=(None, LOGPROB),
    progress=PromptProgress(1, 2, 1, 1, 1),
    finish=Finish.LENGTH,
    stop_reason="END",
    end_logprob=LOGPROB,
    usage=Usage(1, 2, 1, 1, 1, 3, 4, 5, 1, 6, 7, 8, True, 9, 10, 11, 0.5, 1.5, 2.5),
    accepted=1,
    rejected=3,
    forced=2,
    predicted=1,
    mispredicted=2,
    embedding=b"\x00\x00\x80\x3f",
)
SPEC = LoadSpec(
    name="a/b.gguf",
    path="/models/ü.gguf",
    loader="llama.cpp",
    context=1,
    parallel=3,
    options={
        "threads": 4,
        "cache_type": "q8_0",
        "tensor_split": (0.25, 3),
        "names": ("a",),
        "no_mmap": True,
        "x": None,
    },
    adapters=(Adapter(name="l.gguf", path="/l.gguf", scale=0.5),),
    instruction_template="{{ x }}",
    max_queue=8,
    ngram_tokens=4,
    draft=DraftSpec(name="d.gguf", path="/d.gguf", most=3, context=9),
    kind=ModelKind.EMBEDDING,
    with_code=True,
    threads=3,
    cache_folder="/cache",
)
CARD = ModelCard(
    name="a/b.gguf",
    loader="llama.cpp",
    context=4096,
    vocabulary=49152,
    trained_context=8192,
    parallel=4,
    architecture="llama",
    parameters=135_000_000,
    size_bytes=98_000_000,
    gpu_bytes=99_000_000,
    tuning="flash attention on",
    growth_bytes=1_000_000,
    chat_template="{{ x }}",
    bos_token="<s>",
    eos_token="</s>",
    bos_id=0,
    eos_ids=(0, 2),
    adds_bos=True,
    control_tokens=("<s>", "</s>"),
    infill_tokens=(1, 2, 3),
    draft="d.gguf",
    modalities=("text", "image"),
    audio_rate=16_000,
    projector="mmproj.gguf",
    can_constrain=True,
    can_score=False,
    can_adapt=True,
    adapters=("l.gguf",),
    instruction_template="{{ x }}",
    unsupported=("tfs",),
    kind=ModelKind.EMBEDDING,
    embedding_size=384,
    embedding_frame=((101,), (102,)),
    pair_frame=((101,), (102,), (102,)),
    embedding_prompts=(("query", "search: "),),
    label_groups=(("a", "b"), ("c",)),
    recommended_sampling=(("temperature", 0.7), ("top_k", 20)),
    replay=(("threads", 2), ("flash_attn", "on"), ("swa_full", True)),
    disk_cache=2**30,
)
TO_WORKER: tuple[wire.ToWorker, ...] = (
    wire.ProbeModel(SPEC),
    wire.LoadModel(),
    wire.Submit(Job(9, GENERATION)),
    wire.Submit(Job(10, Generation(prompt=Prompt(())))),
    wire.KeepMedia(PICTURE),
    wire.DropMedia(PICTURE.digest),
    wire.EncodeMedia(3, PICTURE.shape),
    wire.EncodeMedia(4, SOUND.shape),
    wire.Cancel(9),
    wire.Encode(1, "né 🙂\0".encode(), True),
    wire.Decode(2, [0, 1, 262_143]),
)
FROM_WORKER: tuple[wire.FromWorker, ...] = (
    wire.ModelReady(CARD),
    wire.LoadProgress(0.25),
    wire.LoadRefused("no such file"),
    wire.JobChunks([(1, CHUNK), (2, Chunk()), (3, Chunk(stop_reason=99))]),
    wire.JobRefused(1, ServiceFault("BadRequest", "too long", "prompt", "context_length_exceeded", {"context": 5})),
    wire.JobRefused(2, ServiceFault("EngineFailed", "broke")),
    wire.Encoded(1, [1, 2]),
    wire.Decoded(2, "né"),
    wire.Unanswerable(3, ServiceFault("BadRequest", "no token")),
)


def unframed(frame: bytes | bytearray) -> memoryview:
    (only,) = FrameReader(2**20).feed(frame)
    return only.body


@pytest.mark.parametrize("message", TO_WORKER, ids=lambda message: type(message).__name__)
def test_messages_to_the_worker_survive(message: wire.ToWorker) -> None:
    assert wire.unpack_to_worker().decode(unframed(wire.pack_to_worker(message))) == message


@pytest.mark.parametrize("message", FROM_WORKER, ids=lambda message: type(message).__name__)
def test_messages_from_the_worker_survive(message: wire.FromWorker) -> None:
    assert wire.unpack_from_worker().decode(unframed(pack(FrameKind.MESSAGE, 0, message))) == message


def test_every_message_is_tried() -> None:
    assert {type(message) for message in TO_WORKER} == set(get_args(wire.ToWorker))
    assert {type(message) for message in FROM_WORKER} == set(get_args(wire.FromWorker))


@pytest.mark.parametrize("value", [GENERATION, CHUNK, SPEC, CARD, LOGPROB], ids=lambda value: type(value).__name__)
def test_every_optional_field_is_tried(value: Any) -> None:
    assert not list(fields_at_default(value))


def fields_at_default(value: Any) -> Iterator[str]:
    if isinstance(value, Chunk):
        yield from (name for name in value.__struct_fields__ if getattr(value, name) == getattr(Chunk(), name))
        return
    for field in fields(value):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        given_value = getattr(value, field.name)
        if given_value == default:
            yield f"{type(value).__name__}.{field.name}"
        if is_dataclass(given_value):
            yield from fields_at_default(given_value)


@given(st.lists(st.integers(0, 4000), max_size=12))
def test_frames_are_put_together_however_the_pipe_cuts_them(places: list[int]) -> None:
    data = b"".join(pack(FrameKind.MESSAGE, 0, message) for message in FROM_WORKER)
    frames, decoder = FrameReader(2**20), wire.unpack_from_worker()
    heard = [decoder.decode(frame.body) for piece in cut(data, places) for frame in frames.feed(piece)]
    assert tuple(heard) == FROM_WORKER


@pytest.mark.parametrize("stop", [Sampling(seed=2**70), Sampling(dry_sequence_breakers=("\ud800",))])
def test_what_no_message_can_hold_is_a_bad_request(stop: Sampling) -> None:
    with pytest.raises(BadRequest):
        wire.pack_to_worker(wire.Submit(Job(1, Generation(prompt=Prompt((1,)), sampling=stop))))


@given(st.binary(max_size=64))
def test_junk_is_refused(junk: bytes) -> None:
    for decoder in (wire.unpack_from_worker(), wire.unpack_to_worker()):
        with pytest.raises(msgspec.DecodeError):
            decoder.decode(junk)


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    with pytest.raises(msgspec.DecodeError):
        wire.unpack_from_worker().decode(pickle.dumps(Bomb()))
    assert not trace.exists()


def test_a_message_for_the_other_side_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        wire.unpack_from_worker().decode(unframed(wire.pack_to_worker(wire.Cancel(1))))


def test_a_well_formed_message_of_wrong_types_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        wire.unpack_from_worker().decode(msgspec.msgpack.encode({"type": "LoadProgress", "fraction": "half"}))


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("no", param="prompt", code="empty"),
        ContextTooLong(prompt_tokens=70, context=64, param="messages"),
        Busy("full", retry_after=7),
        NotSupported("no such thing", param="logprobs"),
        EngineFailed("broke"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_keep_their_meaning(error: ServiceError) -> None:
    made = error_of(fault_of(error))
    assert type(made) is type(error)
    assert {**made.__dict__, "code": made.code} == {**error.__dict__, "code": error.code}


@pytest.mark.parametrize("error", [NotFound("what?"), LoadFailed("late"), ServiceError("some")])
def test_what_no_job_is_refused_with_is_a_failure_of_the_engine(error: ServiceError) -> None:
    assert type(error_of(fault_of(error))) is EngineFailed


@pytest.mark.parametrize("error", [ContextTooLong(prompt_tokens=70, context=64), Busy("full", retry_after=7)])
def test_a_fault_without_its_numbers_still_is_an_error(error: ServiceError) -> None:
    fault = ServiceFault(type(error).__name__, error.message, code=error.code)
    assert error_of(fault).message == error.message


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"type": "Submit", "job": {"id": 7, "generation": {"max_tokens": 1.5}}}, wire.JobRefused),
        ({"type": "Encode", "question": 7, "text": 5, "special": False}, wire.Unanswerable),
        ({"type": "Decode", "question": 7, "tokens": ["a"]}, wire.Unanswerable),
        ({"type": "Cancel", "job_id": "7"}, NoneType),
        ({"type": "Nonsense"}, NoneType),
        (5, NoneType),
    ],
)
def test_what_is_no_message_is_refused_where_it_asks_for_an_answer(body: object, answer: type[object]) -> None:
    packed = msgspec.msgpack.encode(body)
    with pytest.raises(BadMessage):
        wire.unpack_to_worker().decode(packed)
    refusal = wire.refusal_of(packed)
    assert type(refusal) is answer
    if refusal is not None:
        assert 7 in (getattr(refusal, "job_id", None), getattr(refusal, "question", None))


def test_a_value_that_has_no_place_in_a_message_is_said() -> None:
    with pytest.raises(EngineFailed):
        wire.pack_to_worker(wire.Cancel(object()))  # type: ignore[arg-type]
