"""What went wrong in a store: at once, for good, or the machine's fault; and trying again."""

import errno
import random
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from stages.errors import AudioError, MachineError, UsageError

Result = TypeVar("Result")

TRIES = 8
"""Attempts at a request before the run stops."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
"""Seconds between two attempts: doubled each time, up to the longest."""
_LIBRARIES = {
    "aiohttp": ("ClientError",),
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "gcsfs.retry": ("HttpError",),
    "google.auth.exceptions": ("GoogleAuthError",),
    "azure.core.exceptions": ("AzureError",),
}
"""Errors of the libraries below fsspec that aren't of `OSError`."""
_NO_CREDENTIALS = ("NoCredentials", "PartialCredentials", "ProfileNotFound", "DefaultCredentials", "NoAuthToken")
"""Beginnings of the names of errors that say that there are no credentials."""
_REFUSED = {
    "ExpiredToken": "its credentials have expired: renew them",
    "InvalidToken": "its session token is wrong: set AWS_SESSION_TOKEN again",
    "TokenRefreshRequired": "its session token must be renewed",
    "InvalidAccessKeyId": "it doesn't know the access key: correct AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "the secret key is wrong: correct AWS_SECRET_ACCESS_KEY",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
}
"""What a store's codes say of the credentials or the clock: no object is at fault."""
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE; FSSPEC_S3_ANON=true for a public bucket",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS; FSSPEC_GS_TOKEN=anon for a public bucket",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
_SAME = {"s3a": "s3", "gcs": "gs", "abfs": "az", "adl": "az"}
_PASSING = frozenset(
    {errno.EBUSY, errno.EAGAIN, errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED}
    | {errno.EPIPE, errno.EHOSTUNREACH, errno.ENETUNREACH, getattr(errno, "EREMOTEIO", errno.EBUSY)}
)
_FINAL = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)


class ShortError(ConnectionError):
    """An answer ended before it was whole."""


class ObjectChangedError(Exception):
    """An object isn't any more what it was when it was listed."""


def steadily(url: str, work: Callable[[], Result]) -> Result:
    """Does a request, and again after a while if it fails for a reason that passes.

    Args:
        url: What is asked for, for the message.
        work: Does the request.

    Raises:
        FileNotFoundError, PermissionError: as `work` does.
        ObjectChangedError: as `work` does.
        UsageError: if there are no credentials.
        MachineError: if it fails `TRIES` times, or for a reason that is no object's fault.
    """
    waits = random.Random(url)  # workers that were refused together shouldn't come back together
    for left in reversed(range(TRIES)):
        try:
            return work()
        except _kinds() as error:
            _raise_lasting(url, error)
            if not left:
                raise MachineError(
                    f"`{url}` can't be read: {in_one_line(error)} ({TRIES} attempts). Check the network and the store,"
                    " then run the same command: it goes on from here."
                ) from error
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (TRIES - 1 - left))
            time.sleep(wait_s * (0.5 + waits.random() / 2))
    raise AssertionError


def _kinds() -> tuple[type[BaseException], ...]:
    loaded = [(sys.modules[name], names) for name, names in _LIBRARIES.items() if name in sys.modules]
    return OSError, TimeoutError, *(getattr(module, name) for module, names in loaded for name in names)


def _raise_lasting(url: str, error: BaseException) -> None:
    """Raises what no second attempt would change; returns if one may."""
    scheme = url.partition("://")[0]
    names = {type(error).__name__, type(error.__cause__).__name__}
    if any(name.startswith(_NO_CREDENTIALS) for name in names):
        wanted = _CREDENTIALS.get(_SAME.get(scheme, scheme), "the store's credentials (docs/remote.md)")
        raise UsageError(f"`{url}` needs credentials, but none are set here. Set {wanted}.") from error
    code, status = _answer(error)
    if code in _REFUSED:
        raise MachineError(f"`{url}` was refused: {_REFUSED[code]}, and run the same command again.") from error
    if status == 412:
        raise ObjectChangedError from error
    if status == 404 and not isinstance(error, FileNotFoundError):
        raise FileNotFoundError(errno.ENOENT, "No such object", url) from error
    if status in {401, 403} and not isinstance(error, PermissionError):
        raise PermissionError(errno.EACCES, "Not allowed", url) from error
    if isinstance(error, _FINAL):
        raise error
    passing = isinstance(error, TimeoutError | ConnectionError) or not isinstance(error, OSError)
    if status is not None:
        passing = status in {408, 429} or status >= 500
    elif isinstance(error, OSError):
        passing = passing or error.errno in _PASSING or error.errno is None
    if not passing:
        raise MachineError(f"`{url}` can't be read: {in_one_line(error)}. Mend that, and run it again.") from error


def _answer(error: BaseException) -> tuple[str, int | None]:
    """Returns the store's own code and the HTTP status in an error; "" and None where it has none."""
    for one in (error, error.__cause__):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return str(response.get("Error", {}).get("Code", "")), int(status) if status else None
    for name in ("status", "code", "status_code"):
        if isinstance(value := getattr(error, name, None), int) and 400 <= value < 600:
            return "", value
    return "", None


def in_one_line(error: BaseException) -> str:
    """Returns an error's message in one line, with its kind where it has none; no query of a URL, which may be signed.

    The messages of these libraries hold no credentials, but URLs may hold a signature.
    """
    said = " ".join(str(error).split()) or type(error).__name__
    return " ".join(word.partition("?")[0] if "://" in word else word for word in said.split(" "))


def gone(url: str) -> AudioError:
    """Returns the error of an object that was listed and isn't there."""
    return AudioError(
        f"`{url}` was there when the recordings were listed, but is gone. Run `valle-prep transcribe VOICES`"
        " again, or bring it back and run `valle-prep retry`.",
        "NotThere",
    )


def changed(url: str) -> AudioError:
    """Returns the error of an object that isn't the one that was listed."""
    return AudioError(
        f"`{url}` has changed since the recordings were listed. Run `valle-prep transcribe VOICES` again, or put back"
        " what it was and run `valle-prep retry`.",
        "Changed",
    )
