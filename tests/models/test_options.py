"""What a load request may set, and what it may not."""

import logging
from typing import Any

import pytest

from modules.engine.types import LoadSpec
from modules.errors import BadRequest
from modules.models.options import LoadOptions, load_options, load_spec, with_model_settings
from modules.settings.values import Settings


def spec(args: dict[str, object], **settings: Any) -> LoadSpec:
    changed = LoadOptions.parse(args).applied_to(Settings.model_validate(settings))
    return load_spec(changed, name="m", path="/m", loader="llama.cpp")


def test_known_arguments_and_their_other_names() -> None:
    loaded = spec({"n_ctx": 4096, "n_gpu_layers": 3, "threads": 2, "tensor_split": "3,1", "no_mmap": True})
    assert (loaded.context, loaded.options["gpu_layers"], loaded.options["threads"]) == (4096, 3, 2)
    assert (loaded.options["tensor_split"], loaded.options["no_mmap"]) == ((3.0, 1.0), True)


@pytest.mark.parametrize(("value", "mode"), [(True, "on"), (False, "off"), ("auto", "auto")])
def test_flash_attention_may_be_a_switch(value: object, mode: str) -> None:
    assert spec({"flash_attn": value}).options["flash_attn"] == mode


def test_documented_example() -> None:
    loaded = spec({"ctx_size": 32768, "flash_attn": True, "cache_type": "q8_0"})
    assert (loaded.context, loaded.options["flash_attn"], loaded.options["cache_type"]) == (32768, "on", "q8_0")


def test_what_the_operator_set_holds_where_the_request_is_silent() -> None:
    assert spec({"ctx_size": 512}, ctx_size=1024, gpu_layers=5) == spec({}, ctx_size=512, gpu_layers=5)


def test_null_is_silence() -> None:
    assert spec({"ctx_size": None}, ctx_size=1024).context == 1024


@pytest.mark.parametrize(
    "name",
    [
        "trust_remote_code",
        "extra_flags",
        "rpc",
        "device_map",
        "model_dir",
        "api_key",
        "user_data_dir",
        "model",
        "x" * 500,
    ],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        LoadOptions.parse({name: True})
    assert caught.value.param == f"args.{name[:60]}"
    options = load_options(Settings).items()
    possible = [each for name, option in options for each in (name, *option.aliases)]
    assert len(caught.value.message) < len(", ".join(possible)) + 200


def test_what_keeps_texts_is_switched_on_by_the_operator_alone() -> None:
    with pytest.raises(BadRequest, match="--cache-disk") as caught:
        LoadOptions.requested({"cache_disk": 1}, Settings())
    assert caught.value.param == "args.cache_disk"
    for off in (0, "0", 0.0, None):
        LoadOptions.requested({"cache_disk": off, "ctx_size": 512}, Settings())
    own = Settings.model_validate({"cache_disk": 2})
    assert LoadOptions.requested({"cache_disk": 2}, own).applied_to(own).model_dump()["cache_disk"] == 2
    assert LoadOptions.requested({"cache_disk": 0}, own).applied_to(own).model_dump()["cache_disk"] == 0
    with pytest.raises(BadRequest):
        LoadOptions.requested({"cache_disk": 3}, own)
    assert LoadOptions.parse({"cache_disk": 3}).changes == {"cache_disk": 3}


def test_nearest_name_is_suggested() -> None:
    with pytest.raises(BadRequest, match="did you mean ctx_size"):
        LoadOptions.parse({"ctxsize": 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ctx_size", "many"),
        ("ctx_size", -1),
        ("ctx_size", True),
        ("ctx_size", float("nan")),
        ("parallel", 0),
        ("gpu_layers", [1]),
        ("cache_type", "q99"),
        ("split_mode", "diagonal"),
        ("no_mmap", "maybe"),
        ("loader", "../loader"),
    ],
)
def test_wrong_values_name_their_argument(name: str, value: object) -> None:
    with pytest.raises(BadRequest) as caught:
        LoadOptions.parse({name: value})
    assert caught.value.param == f"args.{name}"


def test_what_is_stored_for_a_model_stands_between_defaults_and_operator() -> None:
    stored = {"ctx_size": 4096, "threads": 3, "instruction_template": "ChatML"}
    changed = with_model_settings(Settings.model_validate({"threads": 7}), "m", stored)
    assert (changed.ctx_size, changed.model_dump()["threads"]) == (4096, 7)


def test_an_operators_choice_of_the_default_is_a_choice() -> None:
    assert with_model_settings(Settings.model_validate({"ctx_size": 8192}), "m", {"ctx_size": 1}).ctx_size == 8192


def test_stored_settings_of_other_programs_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    stored = {"loader": "ExLlamav2_HF", "wbits": 4, "threads": None, "gpu_layers": "all", "ctx_size": 2048}
    with caplog.at_level(logging.WARNING):
        changed = with_model_settings(Settings(), "m", stored)
    assert (changed.loader, changed.model_dump()["gpu_layers"], changed.model_dump()["threads"], changed.ctx_size) == (
        None,
        -1,
        0,
        2048,
    )
    assert [("loader" in text, "gpu_layers" in text) for text in caplog.messages] == [(True, False), (False, True)]


@pytest.mark.parametrize("name", ["trust_remote_code", "model_dir", "api_key", "user_data_dir"])
def test_stored_settings_cannot_reach_further_than_a_request(name: str) -> None:
    assert with_model_settings(Settings(), "m", {name: "1"}) == Settings()
