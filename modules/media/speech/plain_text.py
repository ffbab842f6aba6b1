"""What of a written text is said aloud: words without Markdown, code, addresses and pictures."""

import html
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

_FENCE: Final = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
_IMAGE_OR_LINK: Final = re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\s]{0,2000}(?:\s+\"[^\"\n]{0,500}\")?\)")
_REFERENCE: Final = re.compile(r"\[\^?\d{1,3}\]")
_ADDRESS: Final = re.compile(r"<?\b(?:https?|ftp)://[^\s<>\"']{1,2000}|\bwww\.[^\s<>\"']{1,2000}", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>\n]{0,500}>|<!--.{0,500}?-->")
_LINE_MARK: Final = re.compile(r"^\s{0,12}(?:>\s?|#{1,6}\s+|[-*+•]\s+(?:\[[ xX]\]\s+)?)+")
_NUMBERED: Final = re.compile(r"^\s{0,12}\d{1,4}[.)]\s+")
_RULE: Final = re.compile(r"^\s*(?:[-*_=]\s*){3,}$|^\s*\|?[\s:|-]*-{2,}[\s:|-]*\|?\s*$")
_EMPHASIS: Final = re.compile(
    r"(?<![\w*])\*{1,3}(?=\S)|(?<=\S)\*{1,3}(?![\w*])|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)|~~|`+"
)
# Emoji, dingbats, arrows and stars drawn as pictures, flags, skin tones, and what joins them.
_PICTURES: Final = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0e\ufe0f\u200d\u20e3\U000e0020-\U000e007f]+"
)
SENTENCE_ENDS: Final = tuple(".!?…:;,。！？：；，、")
_ESCAPED: Final = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|>~])")
_BLANKS: Final = re.compile(r"[^\S\n]+")


def spoken_text(text: str) -> str:
    """Lines in the order of `text`. Blocks of code are left out; of an address its host is said, of a link its text. A line that
    ends a heading, an entry or a row gets a full stop, so that a pause follows it."""
    lines = [_spoken_line(line) for line in _without_code(text)]
    return "\n".join(lines).strip()


def has_open_code(text: str) -> bool:
    """Whether a block of code has begun and not ended."""
    fence = ""
    for line in text.splitlines():
        fence = _fence_after(line, fence)
    return bool(fence)


def _without_code(text: str) -> Iterator[str]:
    fence = ""
    for line in text.splitlines():
        before, fence = fence, _fence_after(line, fence)
        if before or fence:
            if not before:
                yield ""
            continue
        yield line


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open behind the line, of which only one as long closes it."""
    match = _FENCE.match(line)
    if not match:
        return fence
    mark = match.group(1)
    if not fence:
        return mark
    is_end = mark[0] == fence[0] and len(mark) >= len(fence) and not line.strip().strip(mark[0])
    return "" if is_end else fence


def _spoken_line(line: str) -> str:
    if _RULE.match(line):
        return ""
    words, marks = _LINE_MARK.subn("", line)
    is_row = words.count("|") > 1
    if is_row:
        words = ", ".join(cell for cell in (cell.strip() for cell in words.split("|")) if cell)
    words = _IMAGE_OR_LINK.sub(r"\1", words)
    words = _ADDRESS.sub(lambda match: _host_of(match.group()), words)
    words = _TAG.sub(" ", words)
    words = _REFERENCE.sub("", words)
    words = _EMPHASIS.sub("", words)
    words = html.unescape(_ESCAPED.sub(r"\1", words))
    words = _BLANKS.sub(" ", _PICTURES.sub(" ", words)).strip()
    wants_pause = bool(marks) or is_row or bool(_NUMBERED.match(line))
    return f"{words}." if words and wants_pause and not words.endswith(SENTENCE_ENDS) else words


def _host_of(address: str) -> str:
    """With what belongs to the sentence behind it."""
    bare = address.strip("<>")
    stem = bare.rstrip(".,;:!?)*_")
    try:
        host = urlsplit(stem if "://" in stem else f"//{stem}").hostname or ""
    except ValueError:
        host = ""
    return host.removeprefix("www.") + bare[len(stem) :]
