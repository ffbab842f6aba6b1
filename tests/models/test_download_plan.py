"""Which files make up the model that somebody wants."""

import pytest

from modules.errors import BadRequest
from modules.models.download_plan import MODELS, PROJECTORS, DownloadChoice, Wish, choose, gguf_weights, shown_size
from modules.models.hub import RemoteFile, RepoFiles
from modules.models.hub_name import HubName

PARTED = ("m-Q8_0-00001-of-00002.gguf", "m-Q8_0-00002-of-00002.gguf")


def repo(*names: str, file: str | None = None) -> RepoFiles:
    files = tuple(RemoteFile(name, size=100 + len(name)) for name in names)
    return RepoFiles(HubName("ann/model", file=file), "c0ffee", files)


def names(choice: DownloadChoice) -> list[str]:
    return sorted(each.file.name for each in choice.files)


def test_safetensors_go_before_everything_else() -> None:
    files = repo("config.json", "m.safetensors", "pytorch_model.bin", "m.gguf", "tokenizer.model", "cat.png", "x.py")
    assert names(choose(files, Wish())) == ["config.json", "m.safetensors", "tokenizer.model"]


def test_the_same_weights_are_not_taken_twice() -> None:
    files = repo(
        "config.json",
        "consolidated.safetensors",
        "model.safetensors",
        "original/model.safetensors",
        "original/params.json",
        "onnx/config.json",
        ".eval/x.yaml",
        "2_Dense/model.safetensors",
    )
    assert names(choose(files, Wish())) == ["2_Dense/model.safetensors", "config.json", "model.safetensors"]
    assert names(choose(repo("consolidated.safetensors", "params.json"), Wish())) == [
        "consolidated.safetensors",
        "params.json",
    ]


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


def test_a_quantization_decides_when_it_is_clear() -> None:
    files = repo("m-Q4_K_M.gguf", "m-Q8_0.gguf")
    assert names(choose(files, Wish(quantization="Q4_K_M"))) == ["m-Q4_K_M.gguf"]
    with pytest.raises(BadRequest, match="2 GGUF models"):
        choose(files, Wish(quantization="Q5_K_M"))


def test_projectors_are_no_models() -> None:
    choice = choose(repo("m.gguf", "mmproj-f16.gguf"), Wish())
    assert names(choice) == ["m.gguf"]
    choice = choose(repo("m.gguf", "mmproj-f16.gguf"), Wish(files=("mmproj-f16.gguf",)))
    assert [each.place for each in choice.files] == [PROJECTORS]


@pytest.mark.parametrize(
    "wish", [Wish(), Wish(files=("pytorch_model.bin",)), Wish(files=("pytorch_model.bin", "c.json"))]
)
def test_pickles_are_refused_with_the_reason(wish: Wish) -> None:
    with pytest.raises(BadRequest, match=r"pickles.*safetensors or GGUF"):
        choose(repo("c.json", "pytorch_model.bin"), wish)


def test_code_needs_the_operator() -> None:
    files = repo("m.safetensors", "modeling.py")
    with pytest.raises(BadRequest, match="--trust-remote-code"):
        choose(files, Wish(files=("modeling.py",)))
    assert names(choose(files, Wish(with_code=True))) == ["m.safetensors", "modeling.py"]


def test_texts_only_and_exclusion() -> None:
    files = repo("config.json", "m.safetensors", "tokenizer.json")
    assert names(choose(files, Wish(text_only=True))) == ["config.json", "tokenizer.json"]
    assert names(choose(files, Wish(exclude=r"^tok"))) == ["config.json", "m.safetensors"]
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
    found = gguf_weights(repo("long-name-Q8.gguf", "Q4.gguf", *PARTED).files)
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
