"""Runs the server."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.inference.service import Service
from model.inference.synthesizer import Synthesizer
from model.serving.settings import Settings
from stages.errors import UsageError

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI


def _api(service: Service, settings: Settings) -> "FastAPI":
    from model.serving.app import create_app

    return create_app(service, settings)


@dataclass(frozen=True, slots=True)
class Served:
    """What a server answers with."""

    create: "Callable[[Service, Settings], FastAPI]" = _api
    """Makes the application."""
    log_level: str = "info"
    """Of uvicorn."""
    patience_s: int = 30
    """How long connections may take to end when the server does, in seconds."""


def check_packages(*, page: bool = False) -> None:
    """Raises `UsageError` if a package of the extra `serve` is missing; those of the page count if it is wanted."""
    from importlib.util import find_spec

    needed = {"fastapi": "fastapi", "uvicorn": "uvicorn", "multipart": "python-multipart"}
    needed |= {"prometheus_client": "prometheus-client"}
    needed |= {"gradio": "gradio"} if page else {}
    if missing := [package for module, package in needed.items() if find_spec(module) is None]:
        raise UsageError(
            f"`valle {'ui' if page else 'serve'}` needs {', '.join(missing)}. Install them: `make setup EXTRAS=serve`."
        )


def serve(
    synthesizer: Synthesizer,
    settings: Settings,
    *,
    ready: Callable[[str], None] = print,
    served: Served = Served(),
) -> None:
    """Serves a model until a signal (SIGINT, SIGTERM) ends it; requests that are being answered are finished.

    Args:
        synthesizer: The model.
        settings: Address and limits.
        ready: Told the model's name and address, once it listens there; by default prints them.
        served: What it answers with; by default OpenAI's speech interface.

    Raises:
        UsageError: if the address can't be listened at, a voice is wrong, or a package is missing.
    """
    check_packages()
    with Service(synthesizer, capacity=settings.queue) as service, listening(settings) as listener:
        server = _server(service, settings, served)
        ready(f"{settings.name}: {address(listener)}")
        server.run(sockets=[listener])


@contextmanager
def in_thread(
    service: Service,
    settings: Settings,
    served: Served = Served(log_level="error"),
) -> Iterator[str]:
    """Serves a model from another thread of this process; gives the address, and ends the server afterwards."""
    with listening(settings) as listener:
        server = _server(service, settings, served)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="server")
        thread.start()
        try:
            yield address(listener)
        finally:
            server.should_exit = True
            thread.join()


def _server(service: Service, settings: Settings, served: Served) -> "uvicorn.Server":
    import uvicorn

    config = uvicorn.Config(
        served.create(service, settings),
        log_level=served.log_level,
        server_header=False,
        ws="none",
        lifespan="on",
        limit_concurrency=settings.queue + 256,
        timeout_graceful_shutdown=served.patience_s,
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
