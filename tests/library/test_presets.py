"""Presets say only what differs from neutral."""

import logging
from dataclasses import replace

import pytest
import yaml

from modules.errors import BadRequest
from modules.library.library import Library
from modules.paths import UserData
from modules.sampling import Sampling
from tests.library.names import CANARY, HOSTILE, write_old


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:20]))
def test_hostile_names_are_refused(library: Library, name: str) -> None:
    for act in (
        lambda: library.presets.read(name),
        lambda: library.presets.save(name, Sampling(top_k=1)),
        lambda: library.presets.delete(name),
    ):
        with pytest.raises(BadRequest) as refusal:
            act()
        assert refusal.value.param == "preset"
        assert CANARY not in refusal.value.message


def test_only_what_the_file_says_in_the_fields_types(library: Library, data: UserData) -> None:
    write_old(
        data.presets / "A.yaml",
        "temperature: 1\ntop_k: 20\ndo_sample: no\nmin_p:\nsampler_priority: |\n  top_k\n  temperature\n"
        'dry_sequence_breakers: \'"\\n", ":"\'\n',
    )
    values = library.presets.read("A")
    assert values == {
        "temperature": 1.0,
        "top_k": 20,
        "do_sample": False,
        "sampler_priority": ("top_k", "temperature"),
        "dry_sequence_breakers": ("\n", ":"),
    }
    assert isinstance(values["temperature"], float)
    assert replace(Sampling(), **values).top_k == 20  # type: ignore[arg-type]


def test_what_is_read_cannot_be_changed(library: Library, data: UserData) -> None:
    write_old(data.presets / "A.yaml", "top_k: 20")
    with pytest.raises(TypeError):
        library.presets.read("A")["top_k"] = 1  # type: ignore[index]


def test_unknown_keys_are_named_once(library: Library, data: UserData, caplog: pytest.LogCaptureFixture) -> None:
    write_old(data.presets / "A.yaml", "top_k: 20\nseed: 1\nlogit_bias: {1: 2}\npenalty_alpha: 0.6\n? odd\n: 1\n")
    with caplog.at_level(logging.WARNING):
        assert [library.presets.read("A") for _ in range(3)] == [{"top_k": 20}] * 3
    (line,) = caplog.messages
    assert all(word in line for word in ("A.yaml", "seed", "logit_bias", "penalty_alpha", "odd"))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("top_p: 1.5", "top_p"),
        ("temperature: -1", "temperature"),
        ("temperature: .nan", "temperature"),
        ("temperature: .inf", "temperature"),
        ("top_k: many", "top_k"),
        ("top_k: true", "top_k"),
        ("mirostat_mode: 3", "mirostat_mode"),
        ("do_sample: perhaps", "do_sample"),
        ("sampler_priority: [top_k, magic]", "sampler_priority"),
    ],
)
def test_values_out_of_range_are_told_by_file_and_key(library: Library, data: UserData, text: str, key: str) -> None:
    write_old(data.presets / "A.yaml", text)
    with pytest.raises(BadRequest, match=rf"A\.yaml: `{key}` must be ") as refusal:
        library.presets.read("A")
    assert refusal.value.param == "preset"


def test_an_edit_is_seen_at_once(library: Library, data: UserData) -> None:
    write_old(data.presets / "A.yaml", "top_k: 20")
    assert library.presets.read("A") == {"top_k": 20}
    (data.presets / "A.yaml").write_text("top_k: 40", encoding="utf-8")
    assert library.presets.read("A") == {"top_k": 40}


def test_saving_writes_only_differences(library: Library, data: UserData) -> None:
    sampling = Sampling(temperature=0.6, sampler_priority=("top_k",), seed=5, logit_bias={1: 1.0}, banned_tokens=(3,))
    library.presets.save("A", sampling)
    stored = yaml.safe_load((data.presets / "A.yaml").read_text(encoding="utf-8"))
    assert stored == {"temperature": 0.6, "sampler_priority": ["top_k"]}
    assert library.presets.read("A") == {"temperature": 0.6, "sampler_priority": ("top_k",)}
    library.presets.save("A", Sampling())
    assert library.presets.read("A") == {}
    library.presets.delete("A")
    assert library.presets.names() == []


def test_an_unknown_preset(library: Library, data: UserData) -> None:
    write_old(data.presets / "Top-P.yaml", "top_p: 0.9")
    with pytest.raises(BadRequest, match=r"no preset named 'top-p'; did you mean Top-P\?"):
        library.presets.read("top-p")


def test_what_is_switched_off_with_a_minus_sign_is_off(library: Library, data: UserData) -> None:
    """As SillyTavern keeps presets."""
    write_old(
        data.presets / "A.yaml",
        "adaptive_target: -0.01\ntop_n_sigma: -1\nrepetition_penalty_range: -1\ntop_k: -1\nmin_p: 0.1\n",
    )
    off = dict.fromkeys(("adaptive_target", "top_n_sigma", "repetition_penalty_range", "top_k"), 0)
    assert library.presets.read("A") == {**off, "min_p": 0.1}
