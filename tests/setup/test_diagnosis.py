"""The lines that matter in the output of a failed program."""

from installer.diagnosis import AGAIN, MOST_LINES, complaints, cures, is_unreachable

NO_NETWORK = [
    "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError: [Errno -3] Temporary failure "
    "in name resolution'",
    "ERROR: Could not find a version that satisfies the requirement numpy==2.4.6 (from versions: none)",
    "ERROR: No matching distribution found for numpy==2.4.6",
]
COMPILER = [
    *(f"[{n}/193] c++ -O3 -c file{n}.cpp" for n in range(1, 90)),
    "FAILED: ggml/src/ggml-cpu.cpp.o",
    "/src/ggml-cpu.cpp:12:10: fatal error: omp.h: No such file or directory",
    "compilation terminated.",
    "ERROR: Failed building wheel for llama-cpp-python",
]


def test_errors_are_picked_from_a_long_output() -> None:
    assert complaints(COMPILER) == [COMPILER[-4], COMPILER[-3], COMPILER[-1]]


def test_the_end_of_a_traceback_is_a_reason() -> None:
    lines = [
        "ERROR: Exception:",
        "Traceback (most recent call last):",
        "  raise InvalidMarker(",
        "pip.InvalidMarker: why",
    ]
    assert complaints(lines) == ["ERROR: Exception:", "pip.InvalidMarker: why"]


def test_the_last_lines_serve_where_nothing_says_error() -> None:
    lines = [f"line {n}" for n in range(100)]
    assert complaints(lines) == lines[-MOST_LINES:]


def test_no_network_is_told_from_a_wrong_python() -> None:
    assert is_unreachable(NO_NETWORK)
    assert not is_unreachable(COMPILER)
    assert any("network connection" in cure for cure in cures(NO_NETWORK))


def test_full_disk_has_its_own_advice() -> None:
    assert "disk space" in cures(["OSError: [Errno 28] No space left on device"])[0]


def test_trying_again_is_always_the_last_advice() -> None:
    assert cures(["something unknown"]) == [AGAIN]
