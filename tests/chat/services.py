"""Chat services over the models of a pool."""

from modules.chat.service import ChatService
from modules.chat.work import WorkRegister
from modules.chatmodels.sources import chat_models
from modules.hooks import Hooks
from modules.models.pool import ModelPool
from modules.prompt.builder import PromptBuilder


def chat_service(models: ModelPool, work: WorkRegister, hooks: Hooks | None = None) -> ChatService:
    return ChatService(chat_models(models, hooks or Hooks(), PromptBuilder(), {}), work, hooks)
