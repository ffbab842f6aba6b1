"""The settings value: defaults, ranges, what follows from several settings together."""

import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from modules.errors import SettingsError
from modules.sampling import Sampling
from modules.settings.options import nearest
from modules.settings.values import OPTIONS, Settings


def test_defaults_that_users_rely_on() -> None:
    settings = Settings()
    assert (settings.api, settings.listen, settings.public_api, settings.trust_remote_code) == (False,) * 4
    assert (settings.api_port, settings.listen_port) == (5000, 7860)
    assert (
        settings.ctx_size,
        settings.parallel,
        settings.model_dump()["batch_size"],
        settings.model_dump()["ubatch_size"],
    ) == (8192, 8, 2048, 0)
    assert (settings.model_dump()["gpu_layers"], settings.model_dump()["cache_type"], settings.loader) == (
        -1,
        "fp16",
        None,
    )
    assert (settings.max_queue, settings.model_dump()["kv_cells"], settings.api_max_body_mb) == (256, 0, 64)
    assert settings.api_cors_origins == ()
    assert settings.model_dump()["swa_full"]
    assert settings.model_dump()["flash_attn"] == "auto"
    assert settings.explicit == frozenset()


def test_sampling_is_neutral_by_default_and_follows_the_settings() -> None:
    assert Settings().sampling == Sampling()
    changed = Settings(temperature=0.5, top_k=7, do_sample=False, sampler_priority=("top_k",)).sampling
    assert changed == Sampling(temperature=0.5, top_k=7, do_sample=False, sampler_priority=("top_k",))


def test_every_sampling_parameter_that_has_a_fixed_default_is_a_setting() -> None:
    of_a_request = {"seed", "logit_bias", "banned_tokens"}
    assert set(Sampling.__dataclass_fields__) - of_a_request <= set(OPTIONS)


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError):
        Settings().api_port = 1  # type: ignore[misc]


def test_settings_hold_no_mutable_values() -> None:
    hash(Settings.model_validate({"extensions": ("a",), "tensor_split": (1.0,)}))


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SettingsError, match=r"There is no setting api_prot; did you mean api_port\?"):
        Settings(api_prot=1)  # type: ignore[call-arg]
    with pytest.raises(SettingsError, match=r"There is no setting qqqqq\."):
        Settings().with_changes({"qqqqq": 1})


@pytest.mark.parametrize(
    ("name", "refused", "accepted"),
    [
        ("api_port", [-1, 65536, 1.5, True, None], [0, 65535]),
        ("listen_port", [-1, 65536], [0, 65535]),
        ("api_max_body_mb", [0, 65537], [1]),
        ("ctx_size", [-1, 2**24 + 1], [0, 2**24]),
        ("parallel", [0, 257], [1, 256]),
        ("max_queue", [-1], [0]),
        ("kv_cells", [-1], [0]),
        ("threads", [-1, 1025], [0, 1024]),
        ("threads_batch", [-1, 1025], [0, 1024]),
        ("batch_size", [0, 65537], [1]),
        ("ubatch_size", [-1, 65537], [0, 1]),
        ("gpu_layers", [-2, 10_001], [-1, 0]),
        ("idle_timeout", [-1, math.inf, math.nan], [0, 0.05]),
        ("temperature", [-0.1, math.nan, math.inf, False], [0, 5]),
        ("top_p", [-0.1, 1.1], [0, 1]),
        ("min_p", [-0.1, 1.1], [0, 1]),
        ("typical_p", [-0.1, 1.1], [0, 1]),
        ("tfs", [-0.1, 1.1], [0, 1]),
        ("top_a", [-0.1, 1.1], [0, 1]),
        ("top_k", [-1, 1.5], [0]),
        ("top_n_sigma", [-1], [0]),
        ("xtc_threshold", [-0.1, 1.1], [0, 1]),
        ("xtc_probability", [-0.1, 1.1], [0, 1]),
        ("adaptive_target", [-0.1, 1.1], [0, 1]),
        ("adaptive_decay", [-0.1, 1], [0, 0.99]),
        ("repetition_penalty", [0, -1], [0.5]),
        ("encoder_repetition_penalty", [0], [0.8]),
        ("frequency_penalty", [-2.1, 2.1], [-2, 2]),
        ("presence_penalty", [-2.1, 2.1], [-2, 2]),
        ("repetition_penalty_range", [-1], [0]),
        ("no_repeat_ngram_size", [-1], [0]),
        ("dry_multiplier", [-1], [0]),
        ("dry_allowed_length", [-1], [0]),
        ("dry_base", [-1], [0]),
        ("dynatemp_low", [-1], [0]),
        ("dynatemp_high", [-1], [0]),
        ("dynatemp_exponent", [-1], [0]),
        ("smoothing_factor", [-1], [0]),
        ("smoothing_curve", [-1], [0]),
        ("epsilon_cutoff", [-1], [0]),
        ("eta_cutoff", [-1], [0]),
        ("penalty_alpha", [-1], [0]),
        ("guidance_scale", [math.nan], [-0.5, 2.5]),
        ("mirostat_mode", [-1, 3], [0, 2]),
        ("mirostat_tau", [-1], [0]),
        ("mirostat_eta", [-1], [0]),
        ("cache_type", ["q9", "q4_q", "fp17", "", 16, "q4_q8", "q3", "fp8"], ["fp16", "q8_0", "iq4_nl", "fp32"]),
        ("loader", ["vllm", "llama"], ["llama.cpp", "Transformers", "scripted", None]),
        ("split_mode", ["rows", 1], ["layer", "row", "tensor", "none"]),
        ("flash_attn", ["yes", 1], ["auto", "on", "off"]),
        ("reasoning_effort", ["much"], ["none", "low", "xhigh"]),
        ("listen_host", ["a b", "http://x"], ["192.168.0.5", "::1", "my-host.local", None]),
        ("api_key", ["with space", "line\nbreak", "ключ", 12345], ["", "sk-1_!~"]),
        ("admin_key", ["with space", 12345], ["", "x"]),
        (
            "api_cors_origins",
            [("example.org",), ("http://a/path",), ("http://a/",)],
            [("*",), ("http://a:1", "https://b")],
        ),
        ("user_data_dir", ["", 5], ["somewhere"]),
    ],
)
def test_ranges(name: str, refused: list[object], accepted: list[object]) -> None:
    for value in refused:
        with pytest.raises(SettingsError, match=f"^{OPTIONS[name].key}: .*it must be "):
            Settings().with_changes({name: value})
    for value in accepted:
        Settings().with_changes({name: value})


def test_a_range_is_told_with_value_and_bounds() -> None:
    with pytest.raises(SettingsError) as failure:
        Settings().with_changes({"parallel": 1000})
    assert (
        failure.value.message == "parallel: 1000 is not allowed; it must be a whole number, at least 1 and at most 256."
    )


def test_long_values_are_cut_in_messages() -> None:
    with pytest.raises(SettingsError) as failure:
        Settings().with_changes({"loader": "x" * 5000})
    # The names of the loaders stand there whole.
    assert failure.value.message.count("x" * 10) < 10
    assert len(failure.value.message.partition(" is not allowed")[0]) < 100


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("loader", "LLAMA.CPP", "llama.cpp"),
        ("loader", "llamacpp", "llama.cpp"),
        ("cache_type", "q8", "q8_0"),
        ("loader", "None", None),
        ("loader", "auto", None),
        ("loader", "", None),
        ("model", "None", None),
        ("model", "", None),
        ("split_mode", "ROW", "row"),
        ("cache_type", "Q8_0", "q8_0"),
        ("cache_type", "f16", "fp16"),
        ("flash_attn", True, "on"),
        ("flash_attn", False, "off"),
        ("extensions", "one, two\nthree", ("one", "two", "three")),
        ("extensions", ["one"], ("one",)),
        ("extensions", "", ()),
        ("chat_template_file", "", None),
    ],
)
def test_ways_of_writing_a_value(name: str, written: object, meant: object) -> None:
    assert getattr(Settings().with_changes({name: written}), name) == meant


def test_a_home_directory_may_be_abbreviated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("USERPROFILE", "/home/somebody")
    assert Settings().with_changes({"model_dir": "~/models"}).user_data.models.as_posix() == "/home/somebody/models"


def test_explicit_fields_are_those_that_were_given_even_at_their_default() -> None:
    settings = Settings(ctx_size=8192)
    assert settings.explicit == {"ctx_size"}
    changed = settings.with_changes({"parallel": 2})
    assert changed.explicit == {"ctx_size", "parallel"}
    assert (changed.parallel, settings.parallel) == (2, 8)


def test_implied_api_is_not_explicit() -> None:
    for settings in (
        Settings(extensions=("openai",)),
        Settings(default_extensions=("openai",)),
        Settings(public_api=True),
    ):
        assert settings.api
        assert "api" not in settings.explicit
    assert not Settings(extensions=("other",)).api


def test_active_extensions_are_listed_once() -> None:
    settings = Settings(extensions=("b", "openai", "a"), default_extensions=("a", "c"))
    assert settings.active_extensions == ("b", "a", "c")


def test_the_admin_key_falls_back_to_the_api_key() -> None:
    assert Settings().required_admin_key == ""
    assert Settings(api_key="k").required_admin_key == "k"
    assert Settings(api_key="k", admin_key="a").required_admin_key == "a"
    assert Settings(admin_key="a").required_admin_key == "a"


def test_keys_stay_out_of_the_repr_but_are_known_to_the_log() -> None:
    settings = Settings(api_key="user-key", admin_key="admin-key")
    assert "user-key" not in repr(settings)
    assert "admin-key" not in repr(settings)
    assert settings.secrets == ("user-key", "admin-key")
    assert Settings().secrets == ()


@pytest.mark.parametrize(
    ("values", "addresses", "exposed"),
    [
        ({}, ("127.0.0.1",), False),
        ({"api_enable_ipv6": True}, ("127.0.0.1", "::1"), False),
        ({"api_enable_ipv6": True, "api_disable_ipv4": True}, ("::1",), False),
        ({"listen": True}, ("0.0.0.0",), True),
        ({"listen": True, "api_enable_ipv6": True}, ("0.0.0.0", "::"), True),
        ({"listen": True, "listen_host": "192.168.0.5"}, ("192.168.0.5",), True),
        ({"listen": True, "listen_host": "my-host"}, ("my-host",), True),
        ({"listen": True, "listen_host": "localhost", "api_disable_ipv4": True}, ("localhost",), False),
        ({"listen": True, "listen_host": "127.0.0.1"}, ("127.0.0.1",), False),
        ({"listen_host": "192.168.0.5"}, ("127.0.0.1",), False),
        ({"public_api": True}, ("127.0.0.1",), True),
    ],
)
def test_where_the_api_listens(values: dict[str, object], addresses: tuple[str, ...], exposed: bool) -> None:
    settings = Settings().with_changes(values)
    assert settings.api_addresses == addresses
    assert settings.is_exposed is exposed


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ssl_keyfile": "key.pem"}, "both --ssl-keyfile and --ssl-certfile"),
        ({"ssl_certfile": "cert.pem"}, "both --ssl-keyfile and --ssl-certfile"),
        ({"api_disable_ipv4": True}, "--api-enable-ipv6"),
    ],
)
def test_contradictions_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Settings().with_changes(values)


def test_every_setting_is_described_once() -> None:
    assert set(OPTIONS) == set(Settings.model_fields)
    assert sum(len(group.model_fields) for group in Settings.groups) == len(OPTIONS)
    for option in OPTIONS.values():
        assert option.description.endswith("."), option.name
        assert option.allowed, option.name


def test_the_nearest_name() -> None:
    assert nearest("ctx_sise", ("ctx_size", "parallel")) == "ctx_size"
    assert nearest("zzz", ("ctx_size",)) is None


def test_names_and_passwords_come_from_the_flag_and_the_file(tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    users.write_text("eve:with:colon, and comma\n\n", encoding="utf-8")
    settings = Settings(gradio_auth="me:secret,you:other", gradio_auth_path=users)
    assert settings.passwords == {"me": "secret", "you": "other", "eve": "with:colon, and comma"}
    assert "with:colon, and comma" in settings.secrets


@pytest.mark.parametrize("line", ["me", "me:", ":secret"])
def test_a_line_that_is_no_name_and_password_is_refused(tmp_path: Path, line: str) -> None:
    users = tmp_path / "users.txt"
    users.write_text(line, encoding="utf-8")
    with pytest.raises(SettingsError):
        _ = Settings(gradio_auth_path=users).passwords
