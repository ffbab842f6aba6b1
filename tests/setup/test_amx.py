"""AMX is built in where the processor lists it and a program of its own runs with it, and nowhere else."""

import shutil
from pathlib import Path

import pytest

from installer import amx
from installer.llama_builds import cmake_arguments


@pytest.mark.parametrize(
    ("text", "is_listed"),
    [
        ("processor : 0\nflags : fpu amx_bf16 avx512_fp16 amx_tile amx_int8\n", True),
        ("processor : 0\nflags : fpu avx512f amx_tile\n", False),
        ("model name : amx_int8\n", False),
        ("", False),
    ],
)
def test_the_processor_tells(tmp_path: Path, text: str, is_listed: bool) -> None:
    (tmp_path / "cpuinfo").write_text(text, encoding="utf-8")
    assert amx.is_listed(tmp_path / "cpuinfo") is is_listed


def test_a_system_that_does_not_tell_has_none(tmp_path: Path) -> None:
    assert not amx.is_listed(tmp_path / "cpuinfo")


def test_a_compiler_that_is_missing_or_fails_is_no_error() -> None:
    assert not amx.works("no-such-compiler")
    assert not amx.works("false")


@pytest.mark.skipif(not shutil.which("c++"), reason="there is no compiler")
def test_where_the_processor_has_none_the_program_says_so() -> None:
    if not amx.is_listed():
        assert not amx.works("c++")


def test_what_works_is_built_in() -> None:
    assert "AMX" in cmake_arguments("cpu")
    assert cmake_arguments("cpu", with_amx=True) == "-DGGML_NATIVE=on"
    assert cmake_arguments("cuda", "-DX=1", with_amx=True) == "-DGGML_NATIVE=on -DGGML_CUDA=on -DX=1"
