"""Progress in the terminal: one line on a terminal, nothing in a file."""

import io

from typing_extensions import override

from modules.media.images.jobs import ImageJob
from modules.media.images.terminal import TerminalProgress, line_of


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


async def test_a_terminal_shows_one_line_and_a_file_none() -> None:
    job = ImageJob("me", 2)
    job.index, job.step, job.steps = 1, 4, 8
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        progress = TerminalProgress(stream)
        progress.show(job)
        progress.end()
    assert "picture 2 of 2, step 4 of 8" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
    assert file.getvalue() == ""
    assert job.share == 0.75
    assert line_of(job).count("█") == 18
