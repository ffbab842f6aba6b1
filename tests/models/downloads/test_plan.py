"""Which files make up the model that somebody wants."""

import pytest

from modules.errors import BadRequest
from modules.models.downloads.hub import RemoteFile, RepoFiles
from modules.models.downloads.hub_name import HubName
from modules.models.downloads.plan import MODELS, PROJECTORS, DownloadChoice, Wish, choose, loadable_weights, shown_size

PARTED = ("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf")


def repo(*names: str, file: str | None = None) -> RepoFiles:
    files = tuple(RemoteFile(name, size=100 + len(name)) for name in names)
    return RepoFiles(HubName("ann/model", file=file), "c0ffee", files)


def names(choice: DownloadChoice) -> list[str]:
    return sorted(each.file.name for each in choice.files)


def test_the_gguf_is_taken_and_nothing_else() -> None:
    files = repo("config.json", "m.safetensors", "pytorch_model.bin", "m.gguf", "tokenizer.model", "cat.png", "x.py")
    assert names(choose(files, Wish())) == ["m.gguf"]
    parts = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    assert names(choose(repo("config.json", *parts, *PARTED), Wish())) == sorted(PARTED)


@pytest.mark.parametrize(
    "files",
    [
        ("config.json", "model.safetensors"),
        ("consolidated.safetensors", "params.json"),
        ("model.safetensors", "pytorch_model.bin"),
        ("model.safetensors", "mmproj-f16.gguf"),
        ("model.safetensors", "model.imatrix.gguf"),
        ("8bit/model.safetensors",),
    ],
)
def test_what_nothing_here_loads_is_not_downloaded(files: tuple[str, ...]) -> None:
    for wish in (Wish(), Wish(quantization="Q4_K_M"), Wish(default_quantization="Q4_K_M")):
        with pytest.raises(BadRequest, match=r"safetensors.*look for a GGUF repository.*model-GGUF") as caught:
            choose(repo(*files), wish)
        assert caught.value.param == "model"


@pytest.mark.parametrize("file", ["model.safetensors", "8bit/"])
def test_an_address_of_what_nothing_here_loads_is_refused(file: str) -> None:
    with pytest.raises(BadRequest, match="look for a GGUF repository"):
        choose(repo("model.safetensors", "8bit/model.safetensors", "m.gguf", file=file), Wish())


def test_an_operator_gets_the_very_file_that_is_named() -> None:
    files = repo("model.safetensors", "m.gguf")
    assert names(choose(files, Wish(files=("model.safetensors",)))) == ["model.safetensors"]


def test_all_parts_of_a_model_come_together_and_lie_flat() -> None:
    choice = choose(repo("README.md", *(f"Q8_0/{part}" for part in PARTED), "Q4/m-Q4.gguf"), Wish(files=(PARTED[1],)))
    assert [(each.place, each.path) for each in choice.files] == [(MODELS, part) for part in PARTED]
    assert (choice.target, choice.is_folder) == (PARTED[0], False)


def test_a_folder_of_the_repository_can_be_chosen() -> None:
    files = repo(*(f"Q8_0/{part}" for part in PARTED), "Q4/m-Q4.gguf", file="Q8_0/")
    assert names(choose(files, Wish())) == [f"Q8_0/{part}" for part in PARTED]


def test_an_address_of_a_file_is_a_choice() -> None:
    assert names(choose(repo("a.gguf", "b.gguf", file="b.gguf"), Wish())) == ["b.gguf"]


def test_several_models_are_listed_with_their_sizes() -> None:
    with pytest.raises(BadRequest, match=r"3 GGUF models") as caught:
        choose(repo("m-Q4_K_M.gguf", "m-Q4_K_S.gguf", *PARTED, "mmproj.gguf"), Wish())
    assert caught.value.message.splitlines()[1:] == [
        "    113 B  m-Q4_K_M.gguf",
        "    113 B  m-Q4_K_S.gguf",
        "    252 B  m-Q8_0-00001-of-00002.gguf",
    ]


def test_a_default_quantization_decides_when_it_is_clear() -> None:
    files = repo("m-Q4_K_M.gguf", "m-Q8_0.gguf")
    assert names(choose(files, Wish(default_quantization="Q4_K_M"))) == ["m-Q4_K_M.gguf"]
    assert names(choose(files, Wish(quantization="Q8_0", default_quantization="Q4_K_M"))) == ["m-Q8_0.gguf"]
    assert names(choose(repo("m-Q8_0.gguf"), Wish(default_quantization="Q4_K_M"))) == ["m-Q8_0.gguf"]
    with pytest.raises(BadRequest, match="2 GGUF models"):
        choose(files, Wish(default_quantization="Q5_K_M"))


SEVERAL = (
    "m-IQ4_XS.gguf",
    "m-Q4_0.gguf",
    "m-Q4_0_4_4.gguf",
    "m-Q4_K_M.gguf",
    "m-UD-Q4_K_M.gguf",
    "m-UD-Q4_K_XL.gguf",
    "m.i1-Q6_K.gguf",
    "m-BF16.gguf",
    "m.fp16.gguf",
    "m-TQ1_0.gguf",
    "gpt-F32-mxfp4.gguf",
    "Q8_0/m-00001-of-00002.gguf",
    "Q8_0/m-00002-of-00002.gguf",
    "mmproj-F32.gguf",
)


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [
        ("Q4_K_M", "m-Q4_K_M.gguf"),
        ("q4_k_m", "m-Q4_K_M.gguf"),
        ("UD-Q4_K_M", "m-UD-Q4_K_M.gguf"),
        ("Q4_K_XL", "m-UD-Q4_K_XL.gguf"),
        ("ud-q4_k_xl", "m-UD-Q4_K_XL.gguf"),
        ("IQ4_XS", "m-IQ4_XS.gguf"),
        ("Q4_0", "m-Q4_0.gguf"),
        ("Q6_K", "m.i1-Q6_K.gguf"),
        ("i1-Q6_K", "m.i1-Q6_K.gguf"),
        ("BF16", "m-BF16.gguf"),
        ("F16", "m.fp16.gguf"),
        ("FP16", "m.fp16.gguf"),
        ("TQ1_0", "m-TQ1_0.gguf"),
        ("MXFP4", "gpt-F32-mxfp4.gguf"),
        ("Q8_0", "Q8_0/m-00001-of-00002.gguf"),
    ],
)
def test_a_wished_quantization_is_found_however_it_is_written(quantization: str, expected: str) -> None:
    assert names(choose(repo(*SEVERAL), Wish(quantization=quantization)))[0] == expected


@pytest.mark.parametrize("quantization", ["Q5_K_M", "Q4_K", "Q4", "Q1_0", "4_XS", "F32", "UD-IQ4_XS", "Q4_K_L", "16"])
def test_a_missing_quantization_is_said_and_never_replaced(quantization: str) -> None:
    with pytest.raises(BadRequest, match=rf"^ann/model has no {quantization} GGUF.*\n(.|\n)*m-Q4_K_M\.gguf"):
        choose(repo(*SEVERAL), Wish(quantization=quantization, default_quantization="Q4_K_M"))


@pytest.mark.parametrize(
    "pieces",
    [
        ("T.Q8_0.gguf.part1of2", "T.Q8_0.gguf.part2of2"),
        ("T.Q8_0.gguf-split-a", "T.Q8_0.gguf-split-b"),
        ("T.Q8_0.gguf.001", "T.Q8_0.gguf.002"),
        ("T.Q8_0.gguf.aa", "T.Q8_0.gguf.ab"),
        ("T.Q8_0-00001-of-00003.gguf", "T.Q8_0-00003-of-00003.gguf"),
    ],
)
def test_pieces_are_no_models(pieces: tuple[str, ...]) -> None:
    with pytest.raises(BadRequest, match=r"no Q8_0 GGUF that can be loaded: T\.Q8_0.*joined") as caught:
        choose(repo(*pieces, "T.Q4_K_M.gguf"), Wish(quantization="q8_0"))
    assert "T.Q4_K_M.gguf" in caught.value.message
    assert names(choose(repo(*pieces, "T.Q4_K_M.gguf"), Wish())) == ["T.Q4_K_M.gguf"]
    with pytest.raises(BadRequest, match="in pieces only"):
        choose(repo(*pieces, "README.md"), Wish())


def test_a_part_whose_others_are_missing_is_not_chosen() -> None:
    with pytest.raises(BadRequest, match="does not have all parts"):
        choose(repo("m-00001-of-00002.gguf"), Wish(files=("m-00001-of-00002.gguf",)))


def test_several_models_of_one_quantization_are_listed() -> None:
    with pytest.raises(BadRequest, match="2 Q8_0 models"):
        choose(repo("small-Q8_0.gguf", "large-Q8_0.gguf", "m-Q4_0.gguf"), Wish(quantization="Q8_0"))


def test_the_name_may_ask_for_a_quantization() -> None:
    files = repo("m-Q4_K_M.gguf", "m-Q8_0.gguf")
    files = RepoFiles(HubName("ann/model", quantization="Q8_0"), files.commit, files.files)
    assert names(choose(files, Wish(default_quantization="Q4_K_M"))) == ["m-Q8_0.gguf"]
    assert names(choose(files, Wish(quantization="Q4_K_M"))) == ["m-Q4_K_M.gguf"]
    assert names(choose(files, Wish(files=("m-Q4_K_M.gguf",)))) == ["m-Q4_K_M.gguf"]


def test_projectors_are_no_models() -> None:
    choice = choose(repo("m.gguf", "mmproj-f16.gguf"), Wish())
    assert (choice.target, choice.is_folder) == ("m.gguf", False)
    choice = choose(repo("m.gguf", "mmproj-f16.gguf"), Wish(files=("mmproj-f16.gguf",)))
    assert [each.place for each in choice.files] == [PROJECTORS]


EYES = ("mmproj-BF16.gguf", "mmproj-F16.gguf", "mmproj-F32.gguf")


@pytest.mark.parametrize(
    ("files", "wish", "taken", "called"),
    [
        (("Big-7B-Q4_K_M.gguf", *EYES), Wish(), "mmproj-F16.gguf", "mmproj-Big-7B-F16-ann.gguf"),
        (("Big-7B-Q4_K_M.gguf", "Big-7B-Q8_0.gguf", *EYES), Wish(quantization="Q8_0"), "mmproj-F16.gguf",
         "mmproj-Big-7B-F16-ann.gguf"),
        (("Big-7B-Q4_K_M.gguf", "Big-7B-Q8_0.gguf", *EYES), Wish(files=("Big-7B-Q8_0.gguf",)), "mmproj-F16.gguf",
         "mmproj-Big-7B-F16-ann.gguf"),
        (("b/" + PARTED[0], "b/" + PARTED[1], "mmproj.gguf"), Wish(), "mmproj.gguf", "mmproj-m-ann.gguf"),
        (("m.gguf", "mmproj-m-Q8_0.gguf", "mmproj-m-bf16.gguf"), Wish(), "mmproj-m-bf16.gguf", "mmproj-m-BF16-ann.gguf"),
        (("a-b.gguf", "a-c.gguf", "mmproj-a-b-f16.gguf", "mmproj-a-c-q8_0.gguf"), Wish(files=("a-c.gguf",)),
         "mmproj-a-c-q8_0.gguf", "mmproj-a-c-Q8_0-ann.gguf"),
        (("Q4_K_M.gguf", "mmproj-F16.gguf"), Wish(), "mmproj-F16.gguf", "mmproj-model-F16-ann.gguf"),
    ],
)  # fmt: skip
def test_a_models_projector_comes_along_and_lies_beside_it(
    files: tuple[str, ...], wish: Wish, taken: str, called: str
) -> None:
    *weights, projector = choose(repo(*files), wish).files
    assert (projector.file.name, projector.place, projector.path) == (taken, MODELS, called)
    assert weights
    assert not any("mmproj" in each.file.name for each in weights)


@pytest.mark.parametrize(
    ("files", "wish", "taken"),
    [
        (("m.gguf", "mmproj-f16.gguf"), Wish(exclude="mmproj"), ["m.gguf"]),
        (("m.gguf", "mmproj-f16.gguf"), Wish(with_projector=False), ["m.gguf"]),
        (("m.gguf", "mmproj-f16.gguf", "mmproj-f32.gguf"), Wish(files=("m.gguf", "mmproj-f32.gguf")),
         ["m.gguf", "mmproj-f32.gguf"]),
        (("m.gguf", "mmproj-f16.gguf", "config.json"), Wish(files=("config.json",)), ["config.json"]),
        (("see-8b.gguf", "blind-8b.gguf", "mmproj-see-8b.gguf"), Wish(files=("blind-8b.gguf",)), ["blind-8b.gguf"]),
    ],
)  # fmt: skip
def test_no_other_projector_than_the_one_that_is_wanted(files: tuple[str, ...], wish: Wish, taken: list[str]) -> None:
    assert names(choose(repo(*files), wish)) == taken


@pytest.mark.parametrize(
    "wish", [Wish(), Wish(files=("pytorch_model.bin",)), Wish(files=("pytorch_model.bin", "c.json"))]
)
def test_pickles_are_refused_with_the_reason(wish: Wish) -> None:
    with pytest.raises(BadRequest, match=r"pickles.*look for a GGUF repository"):
        choose(repo("c.json", "pytorch_model.bin"), wish)


def test_code_needs_the_operator() -> None:
    files = repo("m.gguf", "config.json", "modeling.py")
    with pytest.raises(BadRequest, match="--trust-remote-code"):
        choose(files, Wish(files=("modeling.py",)))
    assert names(choose(files, Wish(text_only=True, with_code=True))) == ["config.json", "modeling.py"]


def test_texts_only_and_exclusion() -> None:
    files = repo("config.json", "a.gguf", "b.gguf", "tokenizer.json", "original/config.json", ".eval/x.yaml")
    assert names(choose(files, Wish(text_only=True))) == ["config.json", "tokenizer.json"]
    assert names(choose(files, Wish(text_only=True, exclude=r"^tok"))) == ["config.json"]
    assert names(choose(files, Wish(exclude=r"^a"))) == ["b.gguf"]
    with pytest.raises(BadRequest, match="nothing to download"):
        choose(files, Wish(text_only=True, exclude="."))
    with pytest.raises(BadRequest, match="regular expression"):
        choose(files, Wish(exclude="("))


def test_unknown_names_get_a_suggestion_and_the_list() -> None:
    with pytest.raises(BadRequest, match=r"did you mean m-Q4_K_M\.gguf\?(.|\n)*m-Q8_0\.gguf"):
        choose(repo("m-Q4_K_M.gguf", "m-Q8_0.gguf"), Wish(files=("m-Q4_KM.gguf",)))
    with pytest.raises(BadRequest, match="no single file"):
        choose(repo("a/m.gguf", "b/m.gguf"), Wish(files=("m.gguf",)))


def test_two_files_of_one_name_cannot_lie_flat() -> None:
    with pytest.raises(BadRequest, match="same name"):
        choose(repo("a/m.gguf", "b/M.gguf"), Wish(files=("a/m.gguf", "b/M.gguf")))


def test_a_repository_without_a_model_says_so() -> None:
    with pytest.raises(BadRequest, match="no model in a format"):
        choose(repo("README.md", "cat.png"), Wish())


def test_models_come_smallest_first() -> None:
    found = loadable_weights(repo("long-name-Q8.gguf", "Q4.gguf", *PARTED).files)
    assert [(each.name, len(each.files)) for each in found] == [
        ("Q4.gguf", 1),
        ("long-name-Q8.gguf", 1),
        (PARTED[0], 2),
    ]


@pytest.mark.parametrize(
    ("size", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "2 KiB"), (5 * 2**20, "5 MiB"), (2**33, "8.0 GiB")]
)
def test_sizes_as_people_read_them(size: int, shown: str) -> None:
    assert shown_size(size) == shown


def sized(**sizes: int) -> RepoFiles:
    files = tuple(
        RemoteFile(name.replace("__", "/").replace("_bin", ".bin"), size=size) for name, size in sizes.items()
    )
    return RepoFiles(HubName("ann/model"), "c0ffee", (*files, RemoteFile("config.json", 10)))


def test_numbers_that_no_reader_unpickles_come_when_they_are_named() -> None:
    voices = sized(voices__a_bin=522_240, voices__b_bin=522_241, onnx__a_bin=522_240)
    assert names(choose(voices, Wish(files=("config.json", "voices/")))) == ["config.json", "voices/a.bin"]
    files = repo("model.bin", "vocabulary.txt", "pytorch_model.bin")
    assert names(choose(files, Wish(files=("model.bin", "vocabulary.txt")))) == ["model.bin", "vocabulary.txt"]


@pytest.mark.parametrize("name", ["pytorch_model.bin", "voices/x.bin", "sub/model.bin"])
def test_pickles_are_refused_where_they_are_named(name: str) -> None:
    with pytest.raises(BadRequest, match="Python pickles"):
        choose(repo(name, "vocabulary.txt"), Wish(files=(name,)))
    with pytest.raises(BadRequest, match="Python pickles"):
        choose(repo("model.bin", "config.json"), Wish(files=("model.bin",)))
