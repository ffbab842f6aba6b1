"""From arguments, CMD_FLAGS.txt, settings.yaml and environment to settings."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from modules.errors import SettingsError
from modules.settings.flag_parser import REMOVED_FLAGS, HelpRequested, help_text
from modules.settings.flags import parse
from modules.settings.option_values import OptionKind
from modules.settings.options import Option
from modules.settings.values import OPTIONS, Settings

NOTHING: Mapping[str, str] = MappingProxyType({})
Start = Callable[..., Settings]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts with arguments in a user data folder of its own, in which the texts given by keyword lie as files."""

    def run(*argv: str, env: Mapping[str, str] = NOTHING, cmd_flags: str = "", yaml: str = "") -> Settings:
        (tmp_path / "CMD_FLAGS.txt").write_text(cmd_flags, encoding="utf-8")
        (tmp_path / "settings.yaml").write_text(yaml, encoding="utf-8")
        return parse(["--user-data-dir", str(tmp_path), *argv], env)

    return run


def test_without_arguments_everything_is_at_its_default(start: Start, tmp_path: Path) -> None:
    assert start() == Settings(user_data_dir=tmp_path)


def test_files_in_the_user_data_folder_may_be_missing(tmp_path: Path) -> None:
    assert parse(["--user-data-dir", str(tmp_path / "new")], {}).api_port == 5000


@pytest.mark.parametrize(
    "argv",
    [
        ["--ctx-size", "4096"],
        ["--ctx-size=4096"],
        ["--ctx_size", "4096"],
        ["--ctx_size=4096"],
        ["--n_ctx", "4096"],
        ["--n-ctx=4096"],
        ["--max_seq_len", "4096"],
        ["--max-seq-len", "4096"],
    ],
)
def test_every_spelling_of_a_flag_sets_it_and_counts_as_explicit(start: Start, argv: list[str]) -> None:
    settings = start(*argv)
    assert settings.ctx_size == 4096
    assert settings.explicit == {"user_data_dir", "ctx_size"}


def test_gpu_layers_is_known_by_its_other_name_and_takes_a_negative_number(start: Start) -> None:
    assert start("--n-gpu-layers", "12").model_dump()["gpu_layers"] == 12
    assert start("--gpu-layers", "-1").model_dump()["gpu_layers"] == -1


def test_underscores_in_values_stay(start: Start) -> None:
    assert start("--model=my_model--v_1").model == "my_model--v_1"
    assert start("--model", "my_model").model == "my_model"


def test_values_with_spaces_and_shell_characters_arrive_intact(start: Start) -> None:
    assert start("--model", "My Model; $(x) & 'y'").model == "My Model; $(x) & 'y'"
    assert start("--api-key=-starts-with-a-dash").api_key == "-starts-with-a-dash"


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--api"], True),
        (["--api=true"], True),
        (["--api", "true"], True),
        (["--api=false"], False),
        (["--api=0"], False),
        (["--no-api"], False),
        (["--no_api"], False),
        (["--api", "--no-api"], False),
        (["--no-api", "--api"], True),
    ],
)
def test_switches(start: Start, argv: list[str], expected: bool) -> None:
    settings = start(*argv)
    assert settings.api is expected
    assert "api" in settings.explicit


def test_a_switch_named_for_what_it_switches_off_is_undone_without_its_no(start: Start) -> None:
    assert start("--no-mmap").model_dump()["no_mmap"]
    assert not start("--no-mmap", "--mmap").model_dump()["no_mmap"]


def test_switches_are_followed_by_further_flags(start: Start) -> None:
    settings = start("--api", "--listen", "--model", "m", "--verbose")
    assert (settings.api, settings.listen, settings.model, settings.verbose) == (True, True, "m", True)


@pytest.mark.parametrize(
    "argv",
    [
        ["--extensions", "one", "two"],
        ["--extensions", "one,two"],
        ["--extensions=one", "--extensions", "two"],
        ["--extensions", "one", "--listen", "--extensions", "two"],
    ],
)
def test_lists(start: Start, argv: list[str]) -> None:
    assert start(*argv).extensions == ("one", "two")


def test_a_list_of_numbers(start: Start) -> None:
    assert start("--tensor-split", "3,1.5").model_dump()["tensor_split"] == (3.0, 1.5)
    with pytest.raises(SettingsError, match=r"--tensor-split: '3,x' is not allowed; it must be a list of numbers"):
        start("--tensor-split", "3,x")


def test_sampler_lists_may_stand_on_lines_or_between_commas(start: Start) -> None:
    assert start("--sampler-priority", "top_k\ntop_p").sampler_priority == ("top_k", "top_p")
    assert start("--sampler-priority", "top_k, top_p").sampler_priority == ("top_k", "top_p")
    with pytest.raises(SettingsError, match="--sampler-priority"):
        start("--sampler-priority", "top_k,top_pp")


@pytest.mark.parametrize("text", [r'"\n", ",", "a b"', r'["\n", ",", "a b"]'])
def test_sequence_breakers_are_strings_as_in_json(start: Start, text: str) -> None:
    assert start("--dry-sequence-breakers", text).dry_sequence_breakers == ("\n", ",", "a b")


def test_broken_sequence_breakers_are_refused(start: Start) -> None:
    with pytest.raises(SettingsError, match=r"--dry-sequence-breakers.*strings as in JSON"):
        start("--dry-sequence-breakers", '"unclosed')


@pytest.mark.parametrize("name", ["openai", "one,openai"])
def test_the_openai_extension_means_api(start: Start, name: str) -> None:
    settings = start("--extensions", name)
    assert settings.api
    assert "openai" not in settings.active_extensions


def test_the_openai_extension_in_default_extensions_means_api(start: Start) -> None:
    settings = start("--extensions", "two", yaml="default_extensions: [one, openai]")
    assert settings.api
    assert settings.active_extensions == ("two", "one")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--api-prot", "unknown flag --api-prot; did you mean --api-port?"),
        ("--api_prot=5000", "unknown flag --api-prot; did you mean --api-port?"),
        ("--no-lissten", "unknown flag --no-lissten; did you mean --no-listen?"),
        ("-api", "unknown flag -api; did you mean --api?"),
        ("--zzzzzzzz", "unknown flag --zzzzzzzz"),
        ("model.gguf", "unexpected argument 'model.gguf'; flags begin with --, and a value with spaces needs quotes"),
    ],
)
def test_unknown_arguments_are_named_with_the_nearest_flag(start: Start, argument: str, message: str) -> None:
    with pytest.raises(SettingsError) as failure:
        start(argument)
    assert failure.value.message == message


def test_flags_are_not_guessed_from_their_beginning(start: Start) -> None:
    with pytest.raises(SettingsError, match=r"unknown flag --api-po; did you mean --api-port\?"):
        start("--api-po", "1")


def test_a_flag_without_its_value_is_named(start: Start) -> None:
    with pytest.raises(SettingsError, match="--api-port: expected one argument"):
        start("--api-port")


def test_help_names_every_flag_under_its_group() -> None:
    text = help_text()
    for option in OPTIONS.values():
        assert f"\n{option.group}:\n" in text
        assert option.flag in text


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["--api", "--help"], ["--help", "--nonsense"]])
def test_help_can_be_asked_for(start: Start, argv: list[str]) -> None:
    with pytest.raises(HelpRequested) as request:
        start(*argv)
    assert str(request.value) == help_text()


def test_removed_flags_are_ignored_with_one_warning(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    settings = start("--row-split", "--compress_pos_emb", "4", "--no_flash_attn", "--api")
    assert settings.explicit == {"user_data_dir", "api"}
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    for flag in ("--row-split", "--compress-pos-emb", "--no-flash-attn"):
        assert flag in caplog.text


@pytest.mark.parametrize(
    "flag",
    [
        "--row-split",
        "--compress_pos_emb",
        "--rope_freq_base",
        "--alpha_value",
        "--autosplit",
        "--no_flash_attn",
        "--num_experts_per_token",
        "--cpp-runner",
        "--deepspeed",
        "--no_xformers",
        "--no_sdpa",
        "--nvme-offload-dir",
        "--local_rank",
    ],
)
def test_every_flag_of_earlier_versions_is_known_as_removed(start: Start, flag: str) -> None:
    assert start(flag) == start()
    assert flag.replace("_", "-") in REMOVED_FLAGS


def test_precedence(start: Start) -> None:
    env = {"OPENEDAI_PORT": "5004"}
    assert start(yaml="api_port: 5001").api_port == 5001
    assert start(yaml="api_port: 5001", cmd_flags="--api-port 5002").api_port == 5002
    assert start("--api-port=5003", yaml="api_port: 5001", cmd_flags="--api-port 5002").api_port == 5003
    assert start("--api-port=5003", yaml="api_port: 5001", cmd_flags="--api-port 5002", env=env).api_port == 5004


def test_the_command_line_can_take_back_what_cmd_flags_switched_on(start: Start) -> None:
    assert not start("--no-listen", cmd_flags="--listen").listen
    assert start("--extensions=", cmd_flags="--extensions one").extensions == ()


def test_every_variable(start: Start, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.touch()
    key.touch()
    settings = start(
        env={
            "OPENEDAI_PORT": "1234",
            "OPENEDAI_CERT_PATH": str(certificate),
            "OPENEDAI_KEY_PATH": str(key),
            "OPENEDAI_DEBUG": "1",
            "OPENEDAI_ENABLE_IPV6": "yes please",
            "OPENEDAI_DISABLE_IPV4": "1",
            "OPENEDAI_EMBEDDING_MODEL": "all-MiniLM-L6-v2",
            "OPENEDAI_EMBEDDING_DEVICE": "cuda",
        }
    )
    assert settings.api_port == 1234
    assert (settings.ssl_certfile, settings.ssl_keyfile) == (certificate, key)
    assert settings.openai_debug
    assert settings.api_addresses == ("::1",)
    assert settings.openai_embedding_model == "all-MiniLM-L6-v2"
    assert settings.model_dump()["openai_embedding_device"] == "cuda"
    assert {"api_port", "openai_debug"} <= settings.explicit


def test_an_empty_variable_counts_as_absent_and_a_no_as_no(start: Start) -> None:
    assert start("--api-port", "9", env={"OPENEDAI_PORT": ""}).api_port == 9
    assert not start("--api-enable-ipv6", env={"OPENEDAI_ENABLE_IPV6": "0"}).api_enable_ipv6
    assert not start(env={"OPENEDAI_DEBUG": "0"}).openai_debug
    assert not start(env={"OPENEDAI_DISABLE_IPV4": "False"}).api_disable_ipv4


def test_a_bad_variable_is_named(start: Start) -> None:
    with pytest.raises(SettingsError, match="OPENEDAI_PORT: 'http' is not allowed; it must be a whole number"):
        start(env={"OPENEDAI_PORT": "http"})


def test_cmd_flags_has_comments_quotes_and_many_lines(start: Start) -> None:
    text = """\ufeff# a comment --listen
    --api --api-port 5005

      # --verbose
    --model "My Model" \\
    --api_key 'a#b' --admin-key c#d
    """
    settings = start(cmd_flags=text)
    assert (settings.api, settings.api_port, settings.model) == (True, 5005, "My Model")
    assert (settings.api_key, settings.admin_key) == ("a#b", "c#d")
    assert settings.explicit == {"user_data_dir", "api", "api_port", "model", "api_key", "admin_key"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--api-prot 5", "CMD_FLAGS.txt: unknown flag --api-prot; did you mean --api-port?"),
        ("--api-port zero", "CMD_FLAGS.txt: --api-port: 'zero' is not allowed"),
        ('--model "unclosed', "CMD_FLAGS.txt: No closing quotation"),
        ("--user-data-dir elsewhere", "--user-data-dir says where CMD_FLAGS.txt is"),
    ],
)
def test_mistakes_in_cmd_flags_are_named_with_the_file(start: Start, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as failure:
        start(cmd_flags=text)
    assert failure.value.message.startswith(message)


def test_mistakes_in_settings_yaml_are_named_with_file_and_key(start: Start) -> None:
    with pytest.raises(SettingsError, match=r"^settings\.yaml: openai-debug: 'x' is not allowed"):
        start(yaml="openai-debug: x")


def test_another_settings_file_can_be_chosen(start: Start, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("api_port: 7\n", encoding="utf-8")
    assert start("--settings", str(other), yaml="api_port: 8").api_port == 7
    assert start(cmd_flags=f"--settings '{other}'").api_port == 7


@pytest.mark.parametrize("flag", ["--settings", "--chat-template-file"])
def test_files_that_are_named_must_exist(start: Start, tmp_path: Path, flag: str) -> None:
    with pytest.raises(SettingsError, match=f"{flag}: there is no file .*missing"):
        start(flag, str(tmp_path / "missing"))


def test_all_mistakes_are_reported_at_once(start: Start) -> None:
    with pytest.raises(SettingsError) as failure:
        start("--api-port=x", "--top-p=7")
    named = [line.partition(":")[0] for line in failure.value.message.splitlines()]
    assert sorted(named) == ["--api-port", "--top-p"]


def test_a_key_never_stands_in_a_message(start: Start) -> None:
    with pytest.raises(SettingsError) as failure:
        start("--api-key", "sec ret")
    assert "sec ret" not in failure.value.message
    assert "printable ASCII" in failure.value.message


def test_the_settings_file_is_read_by_either_spelling_of_a_key(start: Start) -> None:
    assert start(yaml="ctx-size: 1024").ctx_size == 1024
    assert start(yaml="ctx_size: 1024").ctx_size == 1024
    assert start(yaml="openai-embedding_model: m").openai_embedding_model == "m"


SWITCHES = [option for option in OPTIONS.values() if option.kind is OptionKind.SWITCH]
NUMBERS = [
    option for option in OPTIONS.values() if option.kind in {OptionKind.INTEGER, OptionKind.NUMBER, OptionKind.CHOICE}
]


@pytest.mark.parametrize("option", SWITCHES, ids=lambda option: option.name)
def test_every_switch_can_be_set_either_way(start: Start, option: Option) -> None:
    assert option.negation is not None
    assert option.name in start(option.flag, "--api-enable-ipv6").explicit
    assert getattr(start(option.negation, option.flag, "--api-enable-ipv6"), option.name) is True
    assert getattr(start(option.flag, option.negation), option.name) is False


@pytest.mark.parametrize("option", NUMBERS, ids=lambda option: option.name)
def test_every_number_and_choice_refuses_nonsense(start: Start, option: Option) -> None:
    with pytest.raises(SettingsError) as failure:
        start(f"{option.flag}=nonsense")
    assert failure.value.message == f"{option.flag}: 'nonsense' is not allowed; it must be {option.allowed}."
    assert failure.value.param == option.name


def test_no_spelling_means_two_things() -> None:
    spellings = [name for option in OPTIONS.values() for name in (*option.flags, option.negation) if name]
    spellings += [*REMOVED_FLAGS, "--help"]
    assert len(spellings) == len(set(spellings))
    variables = [option.env for option in OPTIONS.values() if option.env]
    assert len(variables) == len(set(variables))
