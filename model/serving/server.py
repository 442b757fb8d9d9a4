"""Runs the server."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from model.inference.service import Service
from model.inference.synthesizer import Synthesizer
from model.serving.settings import Settings
from stages.errors import UsageError

if TYPE_CHECKING:
    import uvicorn


def check_packages() -> None:
    """Raises `UsageError` if a package of the extra `serve` is missing."""
    from importlib.util import find_spec

    needed = {"fastapi": "fastapi", "uvicorn": "uvicorn", "multipart": "python-multipart"}
    needed |= {"prometheus_client": "prometheus-client"}
    if missing := [package for module, package in needed.items() if find_spec(module) is None]:
        raise UsageError(f"`valle serve` needs {', '.join(missing)}. Install them: `make setup EXTRAS=serve`.")


def serve(
    synthesizer: Synthesizer, settings: Settings, *, quiet: bool = False, ready: Callable[[str], None] = print
) -> None:
    """Serves a model until a signal (SIGINT, SIGTERM) ends it; requests that are being answered are finished.

    Args:
        synthesizer: The model.
        settings: Address and limits.
        quiet: Log errors only.
        ready: Told the address, once it listens there.

    Raises:
        UsageError: if the address can't be listened at, a voice is wrong, or a package is missing.
    """
    check_packages()
    with Service(synthesizer, capacity=settings.queue) as service, listening(settings) as listener:
        server = _server(service, settings, "error" if quiet else "info")
        ready(address(listener))
        server.run(sockets=[listener])


@contextmanager
def in_thread(service: Service, settings: Settings) -> Iterator[str]:
    """Serves a model from another thread of this process; gives the address, and ends the server afterwards."""
    with listening(settings) as listener:
        server = _server(service, settings, "error")
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            thread.join()


def _server(service: Service, settings: Settings, log_level: str) -> "uvicorn.Server":
    import uvicorn

    from model.serving.app import create_app

    config = uvicorn.Config(
        create_app(service, settings),
        log_level=log_level,
        server_header=False,
        ws="none",
        lifespan="off",
        limit_concurrency=settings.queue + 256,
        timeout_graceful_shutdown=30,
    )
    return uvicorn.Server(config)


def listening(settings: Settings) -> socket.socket:
    """Returns a socket that listens at the settings' address; raises `UsageError` if that can't be done."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        where = f"{settings.host}, port {settings.port}"
        raise UsageError(
            f"`--host` and `--port` must be free to listen at, but {where}: {error.strerror}. Name others."
        ) from error


def address(listener: socket.socket) -> str:
    """Returns the URL of a socket that listens."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
