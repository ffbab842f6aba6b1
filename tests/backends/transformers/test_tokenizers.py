"""Tokenizers of all families: texts come back whole, bytes become characters, and spaces are where they belong."""

import json
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from modules.backends.hub.tokenizer import HubTokenizer
from modules.backends.hub_folder import ModelFolder
from modules.backends.registry import BACKENDS
from modules.engine.types import Constraint, Generation, Prompt
from modules.errors import LoadFailed
from modules.sampling import Sampling
from tests.backends.loading import transformers_engine, transformers_spec
from tests.backends.transformers.folders import CONTROL, byte_tokenizer, tiny_folder
from tests.backends.transformers.word_tokenizers import BEGIN, SPACE, gemma, llama2, unigram, word_piece

FAMILIES = [byte_tokenizer, llama2, gemma, unigram]
TEXTS = [
    "ab",
    "ab ab",
    "ab  abcd   é",
    "cd\n\tab",
    "🙂 世界 ab",
    "ab 👩‍👩‍👧 \x00",
    "x<|im_end|>y",
    f"{CONTROL[0]}ab",
]


@pytest.fixture(params=FAMILIES, ids=lambda family: str(family.__name__))
def family(request: pytest.FixtureRequest) -> Callable[[], Tokenizer]:
    made: Callable[[], Tokenizer] = request.param
    return made


def read(path: Path, tokenizer: Tokenizer) -> HubTokenizer:
    """Of a folder without weights."""
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}', encoding="utf-8")
    stated = {"bos_token": BEGIN, "eos_token": CONTROL[-1]}
    (path / "tokenizer_config.json").write_text(json.dumps(stated), encoding="utf-8")
    return HubTokenizer(ModelFolder.read(path))


@pytest.mark.parametrize("special", [False, True])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_comes_back(tmp_path: Path, family: Callable[[], Tokenizer], text: str, special: bool) -> None:
    tokenizer = read(tmp_path, family())
    ids = tokenizer.encode(text, special=special)
    end = tokenizer.eos_id
    assert (end in ids) is (special and CONTROL[-1] in text)
    if family is llama2 and special and CONTROL[-1] in text:
        # It puts a space before each part between control tokens.
        text = text.replace(CONTROL[-1], f"{CONTROL[-1]} ")
    elif family is llama2 and special and text.startswith(CONTROL[0]):
        text = text.replace(CONTROL[0], f"{CONTROL[0]} ")
    assert tokenizer.decode(ids) == text


def test_a_text_that_looks_like_a_byte_is_none(tmp_path: Path) -> None:
    """The library's Unigram itself reads it as one."""
    for family in (byte_tokenizer, llama2, gemma):
        tokenizer = read(tmp_path, family())
        assert tokenizer.decode(tokenizer.encode("<0x41> ab", special=False)) == "<0x41> ab"


@pytest.mark.parametrize("text", ["ab ab", "🙂 世界", "ab   ab", "cdé"])
def test_texts_are_decoded_as_the_library_does(tmp_path: Path, family: Callable[[], Tokenizer], text: str) -> None:
    library = family()
    tokenizer = read(tmp_path, library)
    ids = tokenizer.encode(text, special=False)
    expected = library.decode(ids, skip_special_tokens=False)
    # The library writes the bytes of this one as they are named.
    assert tokenizer.decode(ids) == expected or (family is unigram and "<0x" in expected)


def id_of(library: Tokenizer, text: str) -> int:
    token = library.token_to_id(text)
    assert token is not None
    return token


def test_a_token_prints_the_space_before_its_word(tmp_path: Path) -> None:
    for family in (llama2, gemma, unigram):
        library = family()
        tokenizer = read(tmp_path, library)
        assert tokenizer.printed(id_of(library, f"{SPACE}ab")) == b" ab"
        assert tokenizer.printed(id_of(library, "ab")) == b"ab"
        assert tokenizer.printed(id_of(library, "<0xF0>")) == b"\xf0"
        assert tokenizer.printed(id_of(library, CONTROL[1])) == b""
        assert tokenizer.shown(id_of(library, CONTROL[1])) == CONTROL[1].encode()


def test_added_tokens_of_several_spaces_print_spaces(tmp_path: Path) -> None:
    library = gemma()
    assert read(tmp_path, library).printed(id_of(library, 3 * SPACE)) == b"   "


def test_the_token_that_begins_texts_is_told(tmp_path: Path) -> None:
    assert read(tmp_path, llama2()).adds_bos
    assert not read(tmp_path, gemma()).adds_bos


def test_tokens_that_depend_on_others_are_refused(tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path / "tiny", tokenizer=word_piece())
    with pytest.raises(LoadFailed, match="The decoder 'WordPiece' of the model's tokenizer is not supported"):
        BACKENDS.loader_for("Transformers").probe(transformers_spec(folder))


@pytest.mark.parametrize("said", ["🙂 世é", "ab", " ab", "cd  ab\n🙂"])
async def test_streams_have_whole_characters_and_their_spaces(
    tmp_path: Path, family: Callable[[], Tokenizer], said: str
) -> None:
    """What is said is forced, through tokens of single bytes where there are no others."""
    folder = tiny_folder(tmp_path / "tiny", tokenizer=family())
    async with transformers_engine(transformers_spec(folder)) as engine:
        prompt = Prompt(tuple(await engine.tokenize("ab", special=True)))
        constraint = Constraint(kind="regex", text=said)
        generation = Generation(
            prompt=prompt, sampling=Sampling(seed=1), max_tokens=100, logprobs=0, constraint=constraint
        )
        pieces = []
        data = b""
        generated = engine.generate(generation)
        async with aclosing(generated) as chunks:
            async for chunk in chunks:
                pieces.append(chunk.text)
                data += b"".join(each.data for each in chunk.logprobs)
    assert "".join(pieces) == said
    assert data.decode() == said
    assert "\ufffd" not in "".join(pieces)
