"""What the Model tab says about models, memory and downloads. Pure."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from modules.backends.base import MemoryEstimate
from modules.engine.types import MediaKind, ModelCard, ModelKind
from modules.models.downloads.downloads import FileCheck, Verdict
from modules.models.downloads.hub import RepoFiles
from modules.models.downloads.plan import LOADABLE, FileKind, kind_of, loadable_weights, shown_size
from modules.models.downloads.progress import DownloadProgress, Stage, shown_seconds
from modules.models.gauge import Room
from modules.models.state import ModelState, Status
from modules.ui.page.languages import text

# Names of files and repositories are shown in Markdown, and must not become markup.
_MARKS: Final = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]()#+-.!|<>~$"})
_MEDIA: Final = MappingProxyType({MediaKind.IMAGE: "pictures", MediaKind.AUDIO: "sounds"})
# Fits a phone in one line.
_BAR: Final = 24


def plain(text: str) -> str:
    """A text that is no Markdown, as Markdown: names of files are strangers' words."""
    return " ".join(text.split()).translate(_MARKS)


def states_text(states: Sequence[ModelState]) -> str:
    """A line for each model that is more than on disk."""
    told = [state for state in states if state.status is not Status.EMPTY]
    return "\n\n".join(map(state_text, told)) or state_text(ModelState())


def with_others(text: str, states: Sequence[ModelState]) -> str:
    """What is said of the chat model, and a line for each other model that is more than on disk."""
    others = [state for state in states if state.kind is not ModelKind.CHAT and state.status is not Status.EMPTY]
    return "\n\n".join([text, *map(state_text, others)])


def loaded_choices(states: Sequence[ModelState]) -> list[tuple[str, str]]:
    """Entries of a menu: the models in memory, with what each takes."""
    ready = [state for state in states if state.status is Status.READY and state.name]
    sizes = [f", {shown_size(state.memory)}" if state.memory else "" for state in ready]
    return [(f"{state.name} ({state.kind}{size})", state.name or "") for state, size in zip(ready, sizes, strict=True)]


def waiting_text(uses: int) -> str:
    """For who wants a model to go while it is used. Nothing ends a reply but the user's word."""
    if uses == 1:
        return text("Waiting for the end of 1 reply that is being written.")
    return text("Waiting for the end of {count} replies that are being written.", count=uses)


def state_text(state: ModelState, *, uses: int = 0) -> str:
    """`uses` are the requests under way, for which a load may have to wait."""
    name = plain(state.name or "")
    match state.status:
        case Status.LOADING if not state.progress:
            loading = text("Loading **{name}** …", name=name)
            return loading if not uses else text("**{name}** is next. {waiting}", name=name, waiting=waiting_text(uses))
        case Status.LOADING:
            progress = state.progress
            return text("Loading **{name}** {bar} {share}", name=name, bar=bar(progress), share=f"{progress:.0%}")
        case Status.FAILED:
            return text("**{name}** could not be loaded: {message}", name=name, message=plain(state.message or ""))
        case Status.READY if state.card is not None:
            card = state.card
            if state.kind is not ModelKind.CHAT:
                loader = plain(card.loader)
                return text("**{name}** is loaded ({loader}, for {kind}).", name=name, loader=loader, kind=state.kind)
            lora = f", LoRA: {plain(', '.join(card.adapters))}" if card.adapters else ""
            return (
                f"**{name}** is loaded ({plain(card.loader)}, {card.context:,} tokens of context{_reads(card)}{lora})."
            )
        case _:
            return plain(state.message) if state.message else text("No model is loaded.")


def _reads(card: ModelCard) -> str:
    """What it takes besides text, and by which projector."""
    read = [things for kind, things in _MEDIA.items() if kind in card.modalities]
    projector = f" with {plain(card.projector)}" if card.projector else ""
    return f", reads {' and '.join(read)}{projector}" if read else ""


def estimate_text(estimate: MemoryEstimate, room: Room) -> str:
    """How much memory the model needs, and whether there is as much; empty for one that needs none."""
    if not estimate.total:
        return ""
    parts = ", ".join(f"{name} {shown_size(size)}" for name, size in estimate.parts)
    total, listed = shown_size(estimate.total), f": {parts}" if parts else ""
    lines = [text("Needs about **{size}** of memory{parts}.", size=total, parts=listed)]
    if estimate.gpu:
        placed = f" with {estimate.placement}" if estimate.placement else ""
        lines.append(
            f"On the GPU {_on_cards(estimate, room)}{placed}, in main memory {shown_size(estimate.host)} "
            f"({shown_size(room.host_free)} free)."
        )
    else:
        lines.append(f"{shown_size(room.host_free)} free now; unloading the loaded model frees more.")
    if _is_too_large(estimate, room):
        lines.append(
            "**This does not fit into this machine's memory.** Choose a shorter context, a smaller KV cache type or fewer GPU layers."
        )
    return " ".join(lines)


def _on_cards(estimate: MemoryEstimate, room: Room) -> str:
    """What each card holds, where there are several; else the sum."""
    free = [card.free for card in room.gpus]
    if len(estimate.gpus) == len(free):
        each = zip(estimate.gpus, free, strict=True)
        return " + ".join(f"{shown_size(size)} ({shown_size(left)} free)" for size, left in each)
    return shown_size(estimate.gpu)


def _is_too_large(estimate: MemoryEstimate, room: Room) -> bool:
    if estimate.host > room.host_total:
        return True
    if len(estimate.gpus) != len(room.gpus):
        return room.gpu_total is not None and estimate.gpu > room.gpu_total
    return any(size > card.total for size, card in zip(estimate.gpus, room.gpus, strict=True))


def file_choices(repo: RepoFiles) -> list[tuple[str, str]]:
    """Entries of a menu, models first, each group by size; those that cannot be downloaded are left out."""
    models = loadable_weights(repo.files)
    parts = {file.name for each in models for file in each.files}
    others = [
        file
        for file in repo.files
        if file.name not in parts
        and kind_of(file.name) not in {FileKind.SAFETENSORS, FileKind.PICKLE, FileKind.CODE, FileKind.OTHER}
    ]
    entries = [(each.name, each.size) for each in models]
    entries += [(file.name, file.size) for file in sorted(others, key=lambda file: file.size)]
    return [(f"{shown_size(size)} · {name}", name) for name, size in entries]


def repo_text(repo: RepoFiles) -> str:
    models, wished = len(loadable_weights(repo.files)), repo.source.quantization
    if not models:
        advice = f"None of them is a {LOADABLE} model, and other formats cannot be loaded."
    elif models == 1 or wished or repo.source.file:
        advice = text("Without a choice, what the model needs is downloaded.")
    else:
        advice = f"Choose one of its {LOADABLE} models."
    if models and any(kind_of(file.name) is FileKind.PROJECTOR for file in repo.files):
        advice += " The projector with which it reads pictures or sounds is downloaded with it."
    name, count = plain(repo.source.repo), len(repo.files)
    return text("**{repo}** has {count} files. {advice}", repo=name, count=count, advice=advice)


def progress_text(progress: DownloadProgress) -> str:
    if progress.stage is Stage.DONE:
        name, size = plain(progress.target), shown_size(progress.total)
        return text("**{name}** is downloaded and verified ({size}).", name=name, size=size)
    amounts = f"{shown_size(progress.done)} of {shown_size(progress.total)}"
    speed = f", {shown_size(progress.speed)}/s" if progress.speed >= 1 else ""
    left = f", {shown_seconds(progress.seconds_left)} left" if progress.seconds_left is not None else ""
    note = f" · {plain(progress.note)}" if progress.note else ""
    verb = text("Verifying") if progress.stage is Stage.CHECKING else text("Downloading")
    share = f"{bar(progress.fraction)} {progress.fraction:.0%}"
    return f"{verb} **{plain(progress.target)}** {share} · {amounts}{speed}{left}{note}"


def checks_text(checks: Sequence[FileCheck], *, is_done: bool) -> str:
    wrong = [f"- {check.verdict}: {plain(check.name)}" for check in checks if check.verdict is not Verdict.INTACT]
    count = text("1 file") if len(checks) == 1 else text("{count} files", count=len(checks))
    if not is_done:
        return text("Checking … {count} so far.", count=count)
    if not wrong:
        return text("Verified: {count} intact.", count=count)
    return "\n".join([f"{len(wrong)} of {count} must be downloaded again:", "", *wrong])


def bar(fraction: float) -> str:
    full = round(max(0.0, min(1.0, fraction)) * _BAR)
    return f"`{'█' * full}{'░' * (_BAR - full)}`"
