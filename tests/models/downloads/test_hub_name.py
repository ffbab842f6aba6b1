"""How a model on the hub is named."""

import pytest

from modules.errors import BadRequest
from modules.models.downloads.hub_name import HubName, parse_hub_name

HUB = "https://huggingface.co"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ann/model-1.5", HubName("ann/model-1.5")),
        (" ann/model:8.0bpw ", HubName("ann/model", "8.0bpw")),
        ("ann/model:refs/pr/1", HubName("ann/model", "refs/pr/1")),
        ("ann/model:gptq-4bit-32g-actorder_True", HubName("ann/model", "gptq-4bit-32g-actorder_True")),
        ("ann/model:q4_experiment", HubName("ann/model", "q4_experiment")),
        ("ann/model:Q4_K_M", HubName("ann/model", quantization="Q4_K_M")),
        ("ann/model:q8_0", HubName("ann/model", quantization="Q8_0")),
        ("ann/model:UD-IQ2_XXS", HubName("ann/model", quantization="UD-IQ2_XXS")),
        ("ann/model:IQ4_XS", HubName("ann/model", quantization="IQ4_XS")),
        ("ann/model:bf16", HubName("ann/model", quantization="BF16")),
        ("ann/model:F16", HubName("ann/model", quantization="F16")),
        ("ann/model:MXFP4_MOE", HubName("ann/model", quantization="MXFP4_MOE")),
        ("ann/model:latest", HubName("ann/model")),
        ("ann/model:m-IQ3_M.gguf", HubName("ann/model", file="m-IQ3_M.gguf")),
        ("ann/model/Q8_0/m.gguf", HubName("ann/model", file="Q8_0/m.gguf")),
        ("hf.co/ann/model:Q4_K_L", HubName("ann/model", quantization="Q4_K_L")),
        ("huggingface.co/ann/model:Q4_K_L", HubName("ann/model", quantization="Q4_K_L")),
        ("https://hf.co/ann/model:latest", HubName("ann/model")),
        ("hf.co/ann/model:8bpw", HubName("ann/model", "8bpw")),
        ("hf:ann/model:Q6_K", HubName("ann/model", quantization="Q6_K")),
        ("hf://ann/model", HubName("ann/model")),
        ("HF://ann/model/m.gguf", HubName("ann/model", file="m.gguf")),
        ("https://huggingface.co/ann/model?show_file_info=a%2Fm-Q8_0.gguf", HubName("ann/model", file="a/m-Q8_0.gguf")),
        ("https://huggingface.co/ann/model/tree/dev?show_file_info=m.gguf", HubName("ann/model", "dev", "m.gguf")),
        ("https://huggingface.co/ann/model", HubName("ann/model")),
        ("https://huggingface.co/ann/model/", HubName("ann/model")),
        ("huggingface.co/ann/model", HubName("ann/model")),
        ("https://hf.co/ann/model?not-for-all-audiences=true", HubName("ann/model")),
        ("https://huggingface.co/ann/model/tree/8bpw", HubName("ann/model", "8bpw")),
        ("https://huggingface.co/ann/model/tree/refs%2Fpr%2F1", HubName("ann/model", "refs/pr/1")),
        ("https://huggingface.co/ann/model/tree/main/Q8_0", HubName("ann/model", "main", "Q8_0/")),
        ("https://huggingface.co/ann/model/blob/main/a/x.gguf", HubName("ann/model", "main", "a/x.gguf")),
        ("https://huggingface.co/ann/m/resolve/main/x%20y.gguf?download=true", HubName("ann/m", "main", "x y.gguf")),
    ],
)
def test_names(text: str, name: HubName) -> None:
    assert parse_hub_name(text, HUB) == name


@pytest.mark.parametrize("text", ["ann/model", "ann/model:Q8_0", "ann/model:other", "hf.co/ann/model"])
def test_a_branch_given_apart_is_a_branch_whatever_it_is_called(text: str) -> None:
    name = parse_hub_name(text, HUB, "Q4_K_M")
    assert (name.repo, name.revision) == ("ann/model", "Q4_K_M")
    with pytest.raises(BadRequest):
        parse_hub_name(text, HUB, "../x")


def test_the_folder_says_owner_name_and_branch() -> None:
    assert parse_hub_name("ann/model", HUB).folder == "ann_model"
    assert parse_hub_name("ann/model:refs/pr/1", HUB).folder == "ann_model_refs_pr_1"


def test_a_mirror_may_stand_below_a_path() -> None:
    assert parse_hub_name("http://mirror:81/hf/ann/model", "http://mirror:81/hf") == HubName("ann/model")
    assert parse_hub_name("https://huggingface.co/ann/model", "http://mirror:81/hf") == HubName("ann/model")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "model",
        "a/b/c",
        "../b",
        "a/..",
        "a/.hidden",
        "a/b:",
        "a/b:Q4_K_M:Q8_0",
        "hf:a",
        "hf:file:///etc/passwd",
        "hf:http://127.0.0.1/a/b",
        "a/../b.gguf",
        "a/b:../c",
        "a/b:c/",
        "a\\b/c",
        "a/b\0",
        "a b/c",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://huggingface.co/a/b",
        "http://127.0.0.1/a/b",
        "http://localhost:9/a/b",
        "http://169.254.169.254/a/b",
        "http://2130706433/a/b",
        "http://[::1]/a/b",
        "https://user@huggingface.co/a/b",
        "https://huggingface.co@evil.example/a/b",
        "https://huggingface.co.evil.example/a/b",
        "http://a\\@127.0.0.1/",
        "https://huggingface.co/datasets/a/b",
        "https://huggingface.co/a",
        "https://huggingface.co/a/b/settings",
        "https://huggingface.co/%2e%2e/b",
        "https://[bad/a/b",
        "x" * 5000,
    ],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(BadRequest, match="owner/name") as caught:
        parse_hub_name(text, HUB)
    assert caught.value.param == "model"
