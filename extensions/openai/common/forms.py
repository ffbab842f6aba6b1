"""Forms of OpenAI's clients: brackets in names, repeated fields, files among them."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect, Request

from extensions.openai.common.errors import ClientGone
from modules.errors import BadRequest

_MULTIPART: Final = "multipart/form-data"
_ENCODED: Final = "application/x-www-form-urlencoded"
# `names[]` is a list, `chunking_strategy[type]` a field of an object.
_BRACKETED: Final = re.compile(r"([^\[\]]+)\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class FormBody:
    """`texts` and `files` by name, without brackets, in their order; `objects` have the fields that stood in brackets."""

    texts: Mapping[str, tuple[str, ...]]
    files: Mapping[str, tuple[UploadFile, ...]]
    objects: Mapping[str, Mapping[str, str]]

    def text_fields(self, *, lists: Iterable[str]) -> dict[str, object]:
        """For validation: names in `lists` have all their values, others the last. Clients write nothing for null, so
        empty values are left out."""
        wanted: dict[str, object] = {name: dict(fields) for name, fields in self.objects.items()}
        for name, values in self.texts.items():
            given = [value for value in values if value]
            if given:
                wanted[name] = given if name in lists else given[-1]
        return wanted

    def one_file(self, name: str) -> UploadFile:
        """Raises BadRequest unless there is exactly one, and no other file."""
        if name in self.texts:
            raise BadRequest(
                f"'{name}' is text. Send it as a file: a part with a filename.", param=name, code="invalid_value"
            )
        found = self.files.get(name, ())
        if not found:
            raise BadRequest(f"'{name}' is missing.", param=name, code="missing_required_parameter")
        other = next((each for each in self.files if each != name), None)
        if other is not None:
            raise BadRequest(f"'{other}' is a file, where text or nothing belongs.", param=other, code="invalid_value")
        if len(found) > 1:
            raise BadRequest(f"'{name}' was sent {len(found)} times. Send one file.", param=name, code="invalid_value")
        return found[0]


@asynccontextmanager
async def read_form(request: Request, *, max_files: int = 1, max_fields: int = 1000) -> AsyncIterator[FormBody]:
    """The files are spooled without a name in the file system, and gone afterwards, also after a hang-up. Raises
    BadRequest, and HTTPException for what is no form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {_MULTIPART, _ENCODED}:
        shown = f", not {ascii(kind)[1:-1][:60]}" if kind else ""
        raise BadRequest(f"Send the body as {_MULTIPART}{shown}; files are parts of it.", code="invalid_content_type")
    try:
        # One more than allowed, so that what is too much can be told by name.
        form = await request.form(max_files=max_files + 8, max_fields=max_fields)
    except ClientDisconnect:
        raise ClientGone from None
    try:
        yield _sorted(form)
    finally:
        await form.close()


def _sorted(form: FormData) -> FormBody:
    texts: dict[str, list[str]] = {}
    files: dict[str, list[UploadFile]] = {}
    objects: dict[str, dict[str, str]] = {}
    for key, value in form.multi_items():
        match = _BRACKETED.fullmatch(key)
        name, inner = (match[1], match[2]) if match else (key, "")
        if isinstance(value, UploadFile):
            files.setdefault(name, []).append(value)
        elif inner and not inner.isdecimal():
            objects.setdefault(name, {})[inner] = value
        else:
            texts.setdefault(name, []).append(value)
    return FormBody(
        texts={name: tuple(values) for name, values in texts.items()},
        files={name: tuple(values) for name, values in files.items()},
        objects=objects,
    )
