"""What is installed in the virtual environment, as one small file that is written when, and only when, it is true."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path


@dataclass(frozen=True, slots=True)
class State:
    """`requirements`: file name → digest. `llama`: key of the build. `python`: the interpreter behind the links."""

    set_name: str
    accelerator: str
    python: str
    llama: str
    requirements: Mapping[str, str]

    def covers(self, wanted: "State") -> bool:
        """Whether an environment in this state needs nothing done to be in the wanted one."""
        same = replace(self, requirements={}) == replace(wanted, requirements={})
        return same and wanted.requirements.items() <= self.requirements.items()

    def unfinished(self) -> "State":
        """The same choices, nothing of which is known to be installed."""
        return replace(self, llama="", requirements={})


def load(path: Path) -> State | None:
    """The state, or None where there is none that can be read (the installation then starts over)."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        return State(
            set_name=str(fields["set_name"]),
            accelerator=str(fields["accelerator"]),
            python=str(fields["python"]),
            llama=str(fields["llama"]),
            requirements={str(name): str(value) for name, value in fields["requirements"].items()},
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def save(path: Path, state: State) -> None:
    """Replace the file in one step, so that a reader finds the old state or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
    unfinished.replace(path)
