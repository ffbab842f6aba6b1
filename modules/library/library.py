"""The user's files as values, in one object."""

from modules.library.characters.characters import Characters
from modules.library.chats.archive import ChatArchive
from modules.library.chats.histories import Histories
from modules.library.chats.organisation import Organisation
from modules.library.chats.organised import OrganisedChats
from modules.library.lorebooks.lorebooks import Lorebooks
from modules.library.memory import Memory
from modules.library.notebooks import Grammars, Notebooks
from modules.library.presets import PerModelSettings, Presets
from modules.library.prompts import PromptLibrary
from modules.library.templates import InstructionTemplates
from modules.library.users import UserProfiles
from modules.paths import UserData


class Library:
    """Reads and writes below the user data folder, in which any file and any folder may be missing.

    Everything blocks for as long as the disk takes. Values are immutable, and those of a file that has changed are
    read anew. Safe to share between threads.
    """

    def __init__(self, data: UserData) -> None:
        self.characters = Characters(data)
        self.lorebooks = Lorebooks(data)
        self.users = UserProfiles(data)
        self.presets = Presets(data)
        self.prompts = PromptLibrary(data)
        self.templates = InstructionTemplates(data)
        self.grammars = Grammars(data)
        self.histories = Histories(data)
        self.chats = OrganisedChats(self.histories, Organisation(data.organisation))
        self.archive = ChatArchive(self.histories, self.chats)
        self.memory = Memory(data)
        self.notebooks = Notebooks(data)
        self.model_settings = PerModelSettings(data)
