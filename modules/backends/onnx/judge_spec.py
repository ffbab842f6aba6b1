"""Where the judge of pictures is: its process, and the file that `fetch moderation` gets."""

from pathlib import Path
from typing import Final

from modules.backends.judging import PictureJudge
from modules.process.limits import ProcessLimits
from modules.process.spec import ProcessSpec

OPEN_NSFW: Final = PictureJudge(
    ProcessSpec(
        name="the judge of pictures",
        entry="modules.backends.onnx.picture_judge:run",
        limits=ProcessLimits(memory_bytes=2**30, is_resident=True, niceness=10),
    ),
    Path("open_nsfw") / "open-nsfw.onnx",
)
