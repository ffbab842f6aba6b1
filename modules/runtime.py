"""Everything alive in one object, which is passed by argument; a program may have as many as it likes."""

import asyncio
from types import TracebackType
from typing import Self

from modules.backends.kv.disk.kept import KeptPrefixes
from modules.chat.image_prompts import richer_prompt
from modules.chat.prefix.kept import KeptSpellings
from modules.chat.prefix.repair import PrefixRepair
from modules.chat.service import ChatService
from modules.chat.work import WorkRegister
from modules.chatmodels.sources import RemoteSources, chat_models
from modules.hooks import Hooks
from modules.knowledge.messages import KnowledgeMessages
from modules.knowledge.service import KnowledgeService
from modules.library.library import Library
from modules.media.embeddings import EmbeddingService
from modules.media.images.gallery import ImageGallery
from modules.media.images.service import ImageService
from modules.media.moderation.classifier import ClassifierModeration
from modules.media.moderation.pictures import PictureModeration
from modules.media.moderation.service import ModerationService
from modules.media.pictures.fetching import RemoteBytes
from modules.media.pictures.reader import PictureReader
from modules.media.pictures.sources import Sources
from modules.media.request_media import RequestMedia
from modules.media.rerank import RerankService
from modules.media.speech.service import SpeechService
from modules.media.transcription.service import TranscriptionService
from modules.models.loading import Launch, launch_engine
from modules.models.pool import ModelPool
from modules.prompt.builder import PromptBuilder
from modules.settings.values import Settings


class Runtime:
    """`async with Runtime(settings) as runtime:` begins to load the first model and closes everything at the end.

    Entering raises SettingsError when the model that the settings name cannot be found.
    """

    def __init__(self, settings: Settings, *, hooks: Hooks | None = None, launch: Launch = launch_engine) -> None:
        self.settings = settings
        self.data = settings.user_data
        self.library = Library(self.data)
        self.work = WorkRegister()
        self.models = ModelPool(settings, self.data, launch)
        self.kept_prefixes = KeptPrefixes(self.data.cache)
        self.remote_bytes = RemoteBytes(is_allowed=settings.remote_media, hosts=settings.remote_media_hosts)
        sources = Sources(self.remote_bytes)
        pictures = PictureReader()
        self._media = RequestMedia(sources, pictures)
        self._prompts = PromptBuilder(self.library, settings, self._media)
        self.embeddings = EmbeddingService(self.models, own_ids=settings.embedding_token_ids == "own")
        self.rerank = RerankService(self.models, self._prompts)
        self.knowledge = KnowledgeService(self.data, self.models, self.embeddings, self.rerank)
        self.knowledge_messages = KnowledgeMessages(self.knowledge)
        self.moderation = ModerationService(
            self.embeddings,
            ClassifierModeration(self.models),
            PictureModeration(self.data.models, sources, pictures),
        )
        self.transcription = TranscriptionService(self.models, max_queue=settings.max_queue)
        self.images = ImageService(self.models, ImageGallery(self.data.image_outputs), settings)
        self.speech = SpeechService(
            self.models, settings.backends, default_voice=settings.speech_voice, max_queue=settings.max_queue
        )
        hooks = hooks or Hooks()
        self.remote = RemoteSources(settings, self._prompts)
        self._spellings = KeptSpellings(self.data.cache)
        prefixes = PrefixRepair(settings.prefix_repair, kept=self._spellings)
        models = chat_models(self.models, hooks, self._prompts, self.remote)
        self.chat = ChatService(models, self.work, hooks, sources, prefixes)
        # For extensions that ask the model themselves: their hooks do not see what they ask.
        unhooked = chat_models(self.models, Hooks(), self._prompts, self.remote)
        self.unhooked_chat = ChatService(unhooked, self.work, sources=sources, prefixes=prefixes)

    async def rewrite_image_prompt(self, prompt: str) -> str:
        """By the chat model. Raises what a chat does."""
        return await richer_prompt(self.chat, prompt)

    async def __aenter__(self) -> Self:
        self.models.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.work.stop_all()
        await self.knowledge.aclose()
        await self.remote.aclose()
        await self._prompts.aclose()
        await self._media.aclose()
        await self.models.aclose()
        self.library.histories.close()
        await asyncio.to_thread(self._spellings.close)
