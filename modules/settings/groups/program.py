"""The settings of the program as a whole and of its web page."""

from pathlib import Path
from typing import ClassVar

from modules.paths import PROGRAM_FOLDER
from modules.settings.option_values import Words
from modules.settings.options import SettingsGroup, setting


class ProgramSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Program"

    user_data_dir: Path = setting(
        PROGRAM_FOLDER / "user_data",
        "Folder of the models, characters, presets, chats and settings. Only on the command line.",
        stored=False,
    )
    settings: Path | None = setting(
        None,
        "File with settings in YAML; without it, settings.yaml in the user data folder, if there is one.",
        stored=False,
        is_file=True,
    )
    extensions: Words = setting((), "Extensions to start. openai among them means --api.")
    default_extensions: Words = setting(
        (), "Extensions to start besides those of --extensions; meant for settings.yaml. openai among them means --api."
    )
    verbose: bool = setting(False, "Log what the program does in detail. Prompts and keys are never logged.")


class WebSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "Web UI and addresses"

    nowebui: bool = setting(False, "Do not serve the web UI; with --api the API alone.")
    listen: bool = setting(False, "Let other machines reach the web UI and the API. Set --api-key with it.")
    listen_host: str | None = setting(
        None,
        "Address to listen on with --listen, in place of all addresses.",
        pattern=r"^[\w.:%-]+$",
        allowed="a host name or an IP address",
    )
    listen_port: int = setting(7860, "Port of the web UI; 0 lets the system choose.", ge=0, le=65535)
    share: bool = setting(
        False, "Open a public address for the web UI through Gradio's tunnel. Set --gradio-auth with it."
    )
    subpath: str = setting(
        "",
        "Path below which a proxy serves the web UI, such as /chat.",
        pattern=r"^(/?[\w./~-]+)?$",
        allowed="a path such as /chat",
    )
    gradio_auth: str = setting(
        "",
        "Who may use the web UI, as name:password; several are separated by commas.",
        pattern=r"^([^:,]+:[^,]+(,[^:,]+:[^,]+)*)?$",
        allowed="name:password, separated by commas; a password with a comma needs --gradio-auth-path",
        secret=True,
    )
    gradio_auth_path: Path | None = setting(
        None, "File with one name:password per line, for who may use the web UI.", is_file=True
    )
    auto_launch: bool = setting(False, "Open the web UI in this machine's browser at start.")
    multi_user: bool = setting(
        False, "Keep visitors of the web UI apart: chats live in their tabs only, and nothing of theirs is saved."
    )
    ssl_keyfile: Path | None = setting(
        None, "Private key for HTTPS, in PEM format.", env="OPENEDAI_KEY_PATH", is_file=True
    )
    ssl_certfile: Path | None = setting(
        None, "Certificate for HTTPS, in PEM format.", env="OPENEDAI_CERT_PATH", is_file=True
    )
