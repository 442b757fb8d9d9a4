"""Errors as OpenAI's clients expect them: a status, and `{"error": {message, type, param, code}}`.

No traceback and no path of this machine reaches a client.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from model.inference.service import QueueFullError
from stages.errors import AudioError, CodecError, TextError, UsageError, ValleError

if TYPE_CHECKING:
    from starlette.responses import Response

Body = dict[str, dict[str, str | None]]

_OF_THE_CLIENT = (UsageError, TextError, AudioError, CodecError)
_HEADERS: Mapping[int, dict[str, str]] = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "1"}}
_ARGUMENTS: Mapping[str, str] = {"text": "input", "prompt": "voice", "prompt_text": "ref_text"}
"""Arguments of the synthesizer that requests call otherwise."""
_TYPES: Mapping[int, str] = {401: "authentication_error", 429: "rate_limit_error"}


class RefusedError(ValleError):
    """A request that the server refuses.

    Args:
        status: HTTP status.
        message: What is wrong, the rule, and what to do.
        param: The field of the request.
        code: A short name for programs.
    """

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code


def error_body(status: int, message: str, *, param: str | None = None, code: str | None = None) -> Body:
    """Returns the body of an answer with an error."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refused(error: ValleError, hidden: Mapping[str, str], fields: Collection[str]) -> tuple[int, Body]:
    """Turns an error of this project into status and body.

    Args:
        error: What was raised.
        hidden: Paths of this machine, and what to call them.
        fields: Names of fields, one of which the message may begin with.
    """
    message = str(error)
    for path in sorted(hidden, key=len, reverse=True):
        message = message.replace(path, hidden[path])
    if isinstance(error, RefusedError):
        return error.status, error_body(error.status, message, param=error.param, code=error.code)
    if isinstance(error, QueueFullError):
        return 429, error_body(429, message, code="queue_full")
    if isinstance(error, _OF_THE_CLIENT):
        named = re.match("`([a-z_]+)`", message)
        param = _ARGUMENTS.get(named[1], named[1]) if named else None
        return 422, error_body(422, message, param=param if param in fields else None)
    return 500, failure()


def answer(error: ValleError, hidden: Mapping[str, str], fields: Collection[str] = ()) -> "Response":
    """Returns the answer for an error of this project; arguments as of `refused`."""
    from starlette.responses import JSONResponse

    status, body = refused(error, hidden, fields)
    return JSONResponse(body, status, headers=_HEADERS.get(status))


def failure() -> Body:
    """Returns the body for what is nobody's mistake but ours: the cause stands in the server's log."""
    return error_body(500, "The server failed on this request; its log says why.")


def named_status(status: int, detail: str) -> Body:
    """Returns the body for an error of the HTTP layer, such as a path that isn't there."""
    return error_body(status, detail or HTTPStatus(status).phrase)


def first_problem(problems: Iterable[Any]) -> RefusedError:
    """Turns what pydantic found wrong with a body into an error that names the first field."""
    problem = next(iter(problems))
    field = str(problem["loc"][0])[:100] if problem["loc"] else None
    message = str(problem["msg"]).removeprefix("Value error, ")
    told = message if not field or message.startswith("`") else f"`{field}`: {message}."
    if problem["type"] == "extra_forbidden":
        return RefusedError(
            422, f"`{field}` isn't a field of this request. Leave it out.", param=field, code="unknown_field"
        )
    return RefusedError(422, told, param=field)
