"""How likely pictures show what is sexual, by a small classifier in a process of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from modules.backends.judging import JudgePicture, PictureJudged
from modules.backends.registry import PICTURE_JUDGE
from modules.errors import BadRequest, EngineFailed
from modules.media.pictures.reader import PictureReader
from modules.media.pictures.sources import Sources
from modules.process.client import ProcessClient
from modules.process.failures import ProcessFailed

# The one category of OpenAI's that the classifier knows.
JUDGED: Final = "sexual"
_SECONDS: Final = 60.0
_LONGEST: Final = 1024


class PictureModeration:
    """`models` is the folder for models. Nothing is loaded between requests."""

    def __init__(self, models: Path, sources: Sources, reader: PictureReader) -> None:
        self._model = models / PICTURE_JUDGE.model
        self._sources = sources
        self._reader = reader

    async def score(self, pictures: Sequence[str], params: Sequence[str]) -> float:
        """Of the worst of them, which are data URLs or addresses; `params` are their names in messages. Raises BadRequest,
        also where there is no classifier, and EngineFailed."""
        if not self._model.is_file():
            raise BadRequest(
                "Pictures cannot be moderated: there is no classifier for them. Get it with `python3 one_click.py fetch "
                "moderation`, or send the text alone.",
                param=params[0],
                code="image_moderation_not_available",
            )
        decoded = [
            await self._reader.picture(await self._sources.content(source, param=param), longest=_LONGEST, param=param)
            for source, param in zip(pictures, params, strict=True)
        ]
        client: ProcessClient[PictureJudged] = ProcessClient(PICTURE_JUDGE.process, answers=PictureJudged)
        try:
            await client.start()
            questions = [JudgePicture(str(self._model), each.width, each.height, each.data) for each in decoded]
            return max([(await client.ask(question, seconds=_SECONDS)).score for question in questions])
        except ProcessFailed as failure:
            raise EngineFailed("The classifier of pictures failed. Fetch it again if this repeats.") from failure
        finally:
            await client.kill()
