"""Flags meant for llama-server are refused with the names that they have here."""

import pytest

from modules.errors import BadRequest, SettingsError
from modules.models.options import LoadOptions
from modules.settings.flags import parse


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--extra-flags=--n-cpu-moe 4 -fa on"], "--n-cpu-moe: use --n-cpu-moe; -fa: use --flash-attn"),
        (["--extra-flags", "ngl=99,ot=exps=CPU,foo"], "ngl: use --gpu-layers; ot: use --override-tensor; foo: there is none"),
        (["--extra-flags", "--jinja", "-c", "4096"], "--jinja: leave it out, it is always so; -c: use --ctx-size"),
        (["--extra_flags", "-ub 512 --temp -1"], "-ub: use --ubatch-size; --temp: there is none"),
        (["--extra-flags", "'"], "a name of its own"),
    ],
)  # fmt: skip
def test_each_flag_gets_its_name(argv: list[str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        parse(argv, {})


@pytest.mark.parametrize("argv", [["--extra-flags", ""], ["--extra-flags"], ["--extra-flags= "]])
def test_none_are_no_error(argv: list[str]) -> None:
    assert parse([*argv, "--threads", "3"], {}).model_dump()["threads"] == 3


def test_a_load_request_is_told_the_same() -> None:
    with pytest.raises(BadRequest, match="ngl: use --gpu-layers") as refused:
        LoadOptions.parse({"extra_flags": "ngl=20"})
    assert refused.value.param == "args.extra_flags"
    assert LoadOptions.parse({"extra_flags": ""}) == LoadOptions.parse({"extra_flags": None}) == LoadOptions()
