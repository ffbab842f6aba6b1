"""The log: levels, one line per record, no keys."""

import io
import logging
from collections.abc import Iterator

import pytest

from modules.logs import OWN_LOGGERS, ConsoleHandler, LineFormatter, RedactKeys, set_up_logging

KEY = "sk-very-secret"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    loggers = [root, *map(logging.getLogger, OWN_LOGGERS)]
    levels, handlers = [logger.level for logger in loggers], list(root.handlers)
    yield
    root.handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def lines_of(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


@pytest.mark.parametrize(("verbose", "levels"), [(False, ["INFO", "WARNING"]), (True, ["DEBUG", "INFO", "WARNING"])])
def test_the_level_follows_verbose(verbose: bool, levels: list[str]) -> None:
    stream = io.StringIO()
    set_up_logging(verbose=verbose, stream=stream)
    logger = logging.getLogger("modules.anything")
    logger.debug("one")
    logger.info("two")
    logger.warning("three")
    assert [line.split()[1] for line in lines_of(stream)] == levels


@pytest.mark.parametrize("verbose", [False, True])
def test_libraries_only_warn(verbose: bool) -> None:
    stream = io.StringIO()
    set_up_logging(verbose=verbose, stream=stream)
    library = logging.getLogger("some_library")
    library.info("chatter")
    library.warning("trouble")
    assert [line.split()[-1] for line in lines_of(stream)] == ["trouble"]


def test_setting_up_again_replaces_the_set_up() -> None:
    first, second = io.StringIO(), io.StringIO()
    set_up_logging(stream=first)
    set_up_logging(stream=second)
    logging.getLogger("modules").info("hello")
    assert first.getvalue() == ""
    assert len(lines_of(second)) == 1
    assert sum(isinstance(handler, ConsoleHandler) for handler in logging.getLogger().handlers) == 1


def test_a_line_is_short_and_plain_in_a_file() -> None:
    stream = io.StringIO()
    set_up_logging(stream=stream)
    logging.getLogger("modules").warning("the %s is %d", "port", 5000)
    (line,) = lines_of(stream)
    assert line[8:] == " WARNING the port is 5000"
    assert line[2] == line[5] == ":"


def test_a_terminal_gets_colours_unless_it_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured, plain = Terminal(), Terminal()
    set_up_logging(stream=coloured)
    logging.getLogger("modules").error("bad")
    assert coloured.getvalue().startswith("\x1b[31m")
    assert coloured.getvalue().endswith("\x1b[0m\n")
    monkeypatch.setenv("NO_COLOR", "1")
    set_up_logging(stream=plain)
    logging.getLogger("modules").error("bad")
    assert "\x1b" not in plain.getvalue()


def test_control_characters_cannot_forge_lines_or_colours() -> None:
    stream = io.StringIO()
    set_up_logging(stream=stream)
    logging.getLogger("modules").info("no file %s", "x\n12:00:00 INFO all is well\x1b[2J\r\x9b")
    (line,) = lines_of(stream)
    assert line.endswith(r"no file x\n12:00:00 INFO all is well\x1b[2J\r\x9b")


def test_keys_appear_neither_in_messages_nor_in_tracebacks() -> None:
    stream = io.StringIO()
    set_up_logging(stream=stream, keys=[KEY, ""])
    logger = logging.getLogger("modules")
    logger.info("header %s", f"Bearer {KEY}")
    logger.info("mapping %(key)s", {"key": KEY})
    try:
        raise ValueError(KEY)
    except ValueError:
        logger.exception("failed with %s", KEY)
    logger.info("stack of %s", KEY, stack_info=True)
    assert KEY not in stream.getvalue()
    assert stream.getvalue().count(RedactKeys.replacement) >= 4
    assert "Traceback" in stream.getvalue()


def test_of_keys_that_begin_alike_none_leaves_a_trace() -> None:
    stream = io.StringIO()
    set_up_logging(stream=stream, keys=["abcd", "abcdefgh"])
    logging.getLogger("modules").info("abcdefgh abcd")
    assert lines_of(stream)[0].endswith("[key] [key]")


def test_the_filter_serves_any_handler() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter(coloured=False))
    handler.addFilter(RedactKeys([KEY]))
    handler.handle(
        logging.makeLogRecord({"msg": "a %s b", "args": (KEY,), "levelno": logging.INFO, "levelname": "INFO"})
    )
    assert stream.getvalue().endswith("a [key] b\n")
