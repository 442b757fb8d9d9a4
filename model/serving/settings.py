"""The settings of the server, and who may reach it."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

from model.decoding.options import Decoding
from model.inference.guards.guard import Guard
from stages.errors import UsageError


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server is reached, and what it allows."""

    name: str
    """The name of the model in requests."""
    voices: Path | None = None
    """The folder of voices."""
    host: str = "127.0.0.1"
    """Address to listen at."""
    port: int = 8000
    """0: a free one."""
    api_key: str | None = field(default=None, repr=False)
    """What clients must send as `Authorization: Bearer …`."""
    queue: int = 64
    """Most requests at the same time."""
    max_characters: int = 4096
    """Of a text."""
    max_upload_mb: float = 25.0
    """Of a request's body, in millions of bytes."""
    max_reference_s: float = 120.0
    """Longest recording that a request may bring, in seconds."""
    read_s: float = 120.0
    """Longest time to send a request's body, in seconds."""
    write_s: float = 60.0
    """Longest time that a client may leave a piece of the answer unread, in seconds."""
    decoding: Decoding = field(default_factory=Decoding)
    """What requests don't say."""
    guard: Guard = field(default_factory=Guard)

    def __post_init__(self) -> None:
        """Raises `UsageError` for values out of range, and for an address that others reach without a key."""
        for name in ("queue", "max_characters"):
            if getattr(self, name) < 1:
                raise UsageError(f"`{name}` must be at least 1, but is {getattr(self, name)}.")
        for name in ("max_upload_mb", "max_reference_s"):
            if not 0 < getattr(self, name) < float("inf"):
                raise UsageError(f"`{name}` must be above 0 and finite, but is {getattr(self, name)}.")
        if not 0 <= self.port < 1 << 16:
            raise UsageError(f"`port` must be 0 (a free one) to 65535, but is {self.port}.")
        key = self.api_key
        if key is not None and not (key and key.isascii() and key.isprintable() and " " not in key):
            raise UsageError("`api_key` must be printable ASCII characters without spaces. Choose another.")
        if key is None and not self.is_local:
            raise UsageError(
                f"`host` must be a loopback address, such as 127.0.0.1, while there is no key, but is `{self.host}`:"
                " everybody who reaches it could use the model. Give `--api-key` or the variable VALLE_API_KEY."
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the address."""
        return is_loopback(self.host)

    @property
    def max_body_bytes(self) -> int:
        """Most bytes of a request's body."""
        return round(self.max_upload_mb * 1_000_000)


def is_loopback(host: str) -> bool:
    """Returns whether a host's name or address is this machine's own."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
