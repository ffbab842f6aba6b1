"""The user's prompts: Markdown files with front matter, which may have variables."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modules.errors import BadRequest
from modules.library.folder import FileCache, Folder, blaming
from modules.library.text_files import MAX_TEXT_BYTES, as_mapping, parse_yaml, read_text, text_at, yaml_text
from modules.paths import UserData, atomic_write

_MARKDOWN: Final = ".md"
_FRONT_MATTER: Final = re.compile(r"---[ \t]*\n(?:(.*?)\n)??---[ \t]*(?:\n|$)", re.DOTALL)
_UNUSABLE: Final = re.compile(r"[^\w .,()+-]+")
_MAX_NAME: Final = 100
_MAX_FILE_NAME: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryPrompt:
    """`id` is the name of its file, without the suffix; `text` may hold variables such as `{{topic}}`."""

    id: str
    name: str
    description: str = ""
    tags: tuple[str, ...] = ()
    text: str


@dataclass(frozen=True, slots=True)
class PromptListing:
    """By name. `problems` say which files are damaged, and how."""

    prompts: tuple[LibraryPrompt, ...]
    problems: tuple[str, ...]


class PromptLibrary:
    """Files in `prompts/`. Blocks for as long as the disk takes; safe to share between threads."""

    def __init__(self, data: UserData) -> None:
        self._folder = Folder(data.prompts, "prompt", (_MARKDOWN,))
        self._cache = FileCache[LibraryPrompt](_read)

    def all(self) -> PromptListing:
        prompts, problems = [], []
        for name in self._folder.names():
            try:
                prompts.append(self.read(name))
            except BadRequest as error:
                problems.append(error.message)
        return PromptListing(tuple(sorted(prompts, key=lambda each: each.name.casefold())), tuple(problems))

    def read(self, prompt_id: str, *, param: str = "prompt") -> LibraryPrompt:
        """Raises BadRequest for a file that is not there or is damaged."""
        with blaming(param):
            return self._cache.read(self._folder.existing(prompt_id, param=param))

    def save(self, prompt: LibraryPrompt) -> LibraryPrompt:
        """Writes the prompt of that id anew, or one without an id to a new file, which is named after it. Raises BadRequest
        for a prompt without a name or without text."""
        name = " ".join(prompt.name.split())
        if not name or len(name) > _MAX_NAME:
            raise BadRequest(f"Give the prompt a name of at most {_MAX_NAME} characters.", param="name")
        if not prompt.text.strip():
            raise BadRequest("The prompt has no text.", param="text")
        prompt_id = prompt.id or self._unused(_file_name(name))
        front = {"name": name, "description": prompt.description.strip(), "tags": list(prompt.tags)}
        header = yaml_text({key: value for key, value in front.items() if value})
        content = f"---\n{header}---\n{prompt.text.strip()}\n"
        if len(content.encode()) > MAX_TEXT_BYTES:
            raise BadRequest(f"A prompt may have {MAX_TEXT_BYTES // 2**10} KiB at most.", param="text")
        path = self._folder.find(prompt_id, param="prompt") or self._folder.new(prompt_id, _MARKDOWN, param="prompt")
        atomic_write(path, content)
        return self.read(prompt_id)

    def delete(self, prompt_id: str) -> None:
        """Raises BadRequest when there is none. A damaged one can be deleted, too."""
        self._folder.delete(prompt_id, param="prompt")

    def _unused(self, name: str) -> str:
        try:
            self._folder.find(name)
        except BadRequest:
            # Windows opens devices for names such as con.
            name = f"Prompt {name}"
        return self._folder.unused_name(name)


def _read(path: Path) -> LibraryPrompt:
    text = read_text(path)
    header = _FRONT_MATTER.match(text)
    if header is None and text.startswith("---\n"):
        raise BadRequest(f"{path.name}: the front matter has no end. Close it with a line of three dashes (---).")
    front = as_mapping(parse_yaml(header[1] or "", path.name), path.name) if header else {}
    prompt_id = path.name.removesuffix(_MARKDOWN)
    body = text[header.end() :] if header else text
    if not body.strip():
        raise BadRequest(f"{path.name} has no text below its front matter.")
    return LibraryPrompt(
        id=prompt_id,
        name=text_at(front, "name", path.name).strip() or prompt_id,
        description=text_at(front, "description", path.name).strip(),
        tags=_tags(front.get("tags"), path.name),
        text=body.strip(),
    )


def _tags(value: object, file_name: str) -> tuple[str, ...]:
    """A list, or names with commas between them, as people write both."""
    if value is None:
        return ()
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or any(isinstance(item, list | dict) for item in items):
        raise BadRequest(f"{file_name}: `tags` must be a list of words.")
    return tuple(dict.fromkeys(str(item).strip() for item in items if str(item).strip()))


def _file_name(name: str) -> str:
    """One that every file system takes."""
    plain = _UNUSABLE.sub(" ", unicodedata.normalize("NFC", name))
    short = " ".join(plain.split())[:_MAX_FILE_NAME].strip(" .")
    return short or "Prompt"
