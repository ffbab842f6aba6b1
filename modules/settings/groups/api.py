"""The settings of the OpenAI-compatible API: where it listens, whom it lets in, how much it takes in."""

from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator

from modules.settings.option_values import Words
from modules.settings.options import SettingsGroup, setting

# Anything else could not be sent in a header, so such a key would lock everybody out.
_KEY_PATTERN = r"^[\x21-\x7e]*$"
_KEY_ALLOWED = "printable ASCII characters without spaces (in quotes, if it looks like a number)"


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    for origin in origins:
        parts = urlsplit(origin)
        if origin not in ("*", "null") and origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError("an origin is a scheme, a host and a port")
    return origins


Origins = Annotated[Words, AfterValidator(_check_origins)]


class ApiSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "API"

    # Before `api`, which follows from it.
    public_api: bool = setting(False, "Open a Cloudflare tunnel to the API and print its public URL; implies --api.")
    api: bool = setting(False, "Serve the OpenAI-compatible API.")
    api_port: int = setting(5000, "Port of the API; 0 lets the system choose.", env="OPENEDAI_PORT", ge=0, le=65535)
    api_key: str = setting(
        "",
        "Key that clients must send; empty lets everyone in who can reach the API.",
        pattern=_KEY_PATTERN,
        allowed=_KEY_ALLOWED,
        secret=True,
    )
    admin_key: str = setting(
        "",
        "Key for loading and unloading models and the like; empty means the same as --api-key.",
        pattern=_KEY_PATTERN,
        allowed=_KEY_ALLOWED,
        secret=True,
    )
    public_api_id: str | None = setting(None, "Id of a named Cloudflare tunnel for --public-api.")
    api_enable_ipv6: bool = setting(False, "Serve the API on IPv6 too.", env="OPENEDAI_ENABLE_IPV6")
    api_disable_ipv4: bool = setting(False, "Do not serve the API on IPv4.", env="OPENEDAI_DISABLE_IPV4")
    api_cors_origins: Origins = setting(
        (),
        "Web pages, by origin, whose scripts may call the API from a browser; * means all of them. With --api-key only "
        "these may, and without this setting any; without a key these may besides pages from this machine.",
        allowed="a list of origins such as https://example.org:8443, or * or null (files and sandboxed frames)",
    )
    api_allowed_hosts: Words = setting(
        (), "Host names, besides this machine's own loopback names, under which clients may address the API."
    )
    api_max_body_mb: int = setting(64, "Largest request body that is accepted, in MiB.", ge=1, le=65536)
    remote_media: bool = setting(
        True, "Fetch pictures and sounds that requests name by http or https address, from public hosts."
    )
    remote_media_hosts: Words = setting(
        (), "Hosts, as they stand in such addresses, that they may be fetched from although they are private."
    )
    api_max_audio_mb: int = setting(
        200, "Largest recording that /v1/audio accepts for transcription, in MiB.", ge=1, le=200
    )
    responses_records: int = setting(
        1000, "Responses and conversations of /v1/responses that clients can come back to; 0 keeps none.", ge=0
    )
    responses_mb: int = setting(64, "Most memory, or disk, that they take, in MiB; 0 keeps none.", ge=0, le=1048576)
    responses_hours: float = setting(24, "How long they are kept after their last change.", gt=0)
    responses_on_disk: bool = setting(
        False, "Keep them in responses.sqlite3 in the user data folder, instead of in memory only."
    )


class OpenaiExtensionSettings(SettingsGroup, frozen=True):
    title: ClassVar[str] = "API: embeddings and debugging"

    openai_embedding_model: str = setting(
        "sentence-transformers/all-mpnet-base-v2",
        "Model that answers /v1/embeddings.",
        key="openai-embedding_model",
        env="OPENEDAI_EMBEDDING_MODEL",
    )
    embedding_token_ids: Literal["cl100k_base", "own"] = setting(
        "cl100k_base",
        "What token ids in place of texts are for /v1/embeddings: OpenAI's encoding, which clients use for every model, or "
        "the embedding model's own.",
    )
    openai_debug: bool = setting(
        False, "Log each API request's method, path, status and duration.", key="openai-debug", env="OPENEDAI_DEBUG"
    )
