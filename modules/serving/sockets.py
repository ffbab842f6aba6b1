"""The sockets that servers listen on, how their addresses are written, and the signals that end them."""

import asyncio
import errno
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from modules.errors import SettingsError
from modules.settings.values import OPTIONS

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def on_signals(act: Callable[[], object]) -> Iterator[None]:
    """While it is entered, those signals call `act` on the running event loop. Outside the main thread, where signals
    do not arrive, it does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    # Not loop.add_signal_handler, which does not exist on Windows.
    earlier = {number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(act)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


# uvicorn's default: connections that arrive in one burst wait here and are not refused.
BACKLOG = 2048


def listen(addresses: Sequence[str], port: int, *, setting: str = "api_port") -> list[socket.socket]:
    """A listening socket per address, all on the same port; port 0 lets the system choose it.

    Raises SettingsError, naming `setting`: the port is taken, or an address is none of this machine's.
    """
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        for address in addresses:
            chosen = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(opened.enter_context(_listen_on(address, chosen)))
            except OSError as error:
                raise SettingsError(_problem(error, address, port, setting), param=setting) from error
        opened.pop_all()
        return sockets


def url_of(listener: socket.socket, *, is_secure: bool) -> str:
    """The address of what is served there, without a path."""
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if is_secure else 'http'}://{shown}:{port}"


def _listen_on(address: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        _allow_restart(listener)
        if family == socket.AF_INET6:
            # Otherwise `::` would take the port of IPv4 too, and a socket for 0.0.0.0 could not be bound beside it.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(where)
        # Until one of them listens, two servers can be bound to the same port.
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _allow_restart(listener: socket.socket) -> None:
    """Connections of an earlier run may still be closing; on Windows the same option would share a port in use."""
    if sys.platform != "win32":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def _problem(error: OSError, address: str, port: int, setting: str) -> str:
    flag = OPTIONS[setting].flag
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use by another program. Stop that, or choose another port with {flag}."
    if error.errno == errno.EACCES:
        return f"This user may not listen on port {port}. Choose one above 1023 with {flag}."
    return f"It is not possible to listen on {address}, port {port}: {error.strerror or error}."
