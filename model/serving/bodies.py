"""The bodies of requests: their fields, read strictly from JSON or from a form.

The sampling fields come from the samplers' table: a new sampler is a new field.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from model.decoding.options import Decoding, FirstMode
from model.decoding.samplers.chain import OPTIONS, Sampling
from model.decoding.samplers.sampler import Option
from model.inference.guards.guard import Guard
from model.inference.speed import MAX_SPEED, MIN_SPEED
from model.serving.errors import RefusedError, first_problem
from stages.audio.encoding import FormatName
from stages.errors import TextError, UsageError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_STEPS = 200
"""Most passes of `nar-len` and `all` that a request may ask for."""
MAX_RETRIES, MAX_BEST_OF = 5, 8
"""Most draws that a request may ask for."""
_MAX_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Form:
    """The parts of a body: JSON as it came, or the fields and files of a form."""

    json: bytes | None = None
    fields: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


async def read_form(request: "Request") -> Form:
    """Reads a body; how much of it is read, and for how long, is limited by `guard`.

    Raises:
        RefusedError: if it is neither JSON nor a form, or names a field twice.
    """
    from starlette.datastructures import UploadFile

    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return Form(json=await request.body())
    if kind not in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        raise RefusedError(415, "The body must be `application/json` or `multipart/form-data`.")
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    async with request.form(max_files=1, max_fields=_MAX_FIELDS) as parts:
        for name, value in parts.multi_items():
            if name in fields or name in files:
                raise RefusedError(422, f"`{name[:100]}` must be given once.", param=name[:100])
            if isinstance(value, UploadFile):
                files[name] = await value.read()
            else:
                fields[name] = value
    return Form(fields=fields, files=files)


def _clean(text: str) -> str:
    """Refuses what is no text: half characters and control characters."""
    if not text.isprintable() and any(
        0xD800 <= ord(one) < 0xE000 or (one < " " and one not in "\t\n\r") for one in text
    ):
        raise ValueError("must be text, but holds control characters or halves of characters")
    return text


def _voice_name(value: Any) -> Any:
    """Returns the name in `{"id": name}`, OpenAI's other form of a voice."""
    return value["id"] if isinstance(value, dict) and value.keys() == {"id"} else value


def _language(code: str) -> str:
    """Returns a language's code as the project writes it."""
    from stages.text.languages import normalise_code

    try:
        return normalise_code(code)
    except TextError as error:
        raise ValueError(f"`language`: {error}") from error


Text = Annotated[str, AfterValidator(_clean)]
Name = Annotated[str, Field(max_length=200), AfterValidator(_clean)]
B = TypeVar("B", bound="Body")


class Body(BaseModel):
    """Fields of a request. An unknown one, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    model: Name
    """A name that `GET /v1/models` lists."""
    language: Annotated[Name, AfterValidator(_language)] | None = None
    """Code such as en; recognised if not given."""

    @classmethod
    def read(cls, form: Form) -> Self:
        """Reads the fields of a body, but for its files.

        Raises:
            RefusedError: with the first field that is wrong.
        """
        try:
            return cls.model_validate(form.fields) if form.json is None else _strict(cls, form.json)
        except ValidationError as error:
            raise first_problem(error.errors(include_url=False, include_input=False, include_context=False)) from error


def _strict(kind: type[B], json: bytes) -> B:
    return kind.model_validate_json(json, strict=True)


class _Speech(Body):
    """The fields of `POST /v1/audio/speech` but those of the samplers."""

    input: Text
    """What to say."""
    voice: Annotated[Name | None, BeforeValidator(_voice_name)] = None
    """A name that `GET /v1/audio/voices` lists; empty if `ref_audio` is given."""
    response_format: FormatName = "mp3"
    """The format of the audio."""
    speed: Annotated[float, Field(ge=MIN_SPEED, le=MAX_SPEED)] = 1.0
    """With the modes nar-len and all: how much faster than the model would speak."""
    stream_format: Literal["audio", "sse"] | None = None
    """Not given: the whole file at its end. audio: the file piece by piece; sse: pieces as events."""
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    """The same seed gives the same speech."""
    tone: Name | None = None
    """Group of the training set whose way of speaking to use."""
    ref_audio: str | None = None
    """In place of a voice: a recording, in base64 or as an upload."""
    ref_text: Text | None = None
    """What `ref_audio` says; the speech then continues it."""
    max_s: Annotated[float, Field(gt=0)] | None = None
    """Longest speech, in seconds."""
    mode: FirstMode | None = None
    """How the first codebook is generated; with all, every codebook."""
    steps: Annotated[int, Field(ge=1, le=MAX_STEPS)] | None = None
    """With the modes nar-len and all: passes of the network."""
    guidance: Annotated[float, Field(ge=1, le=100)] | None = None
    """Scale of classifier-free guidance."""
    retries: Annotated[int, Field(ge=0, le=MAX_RETRIES)] | None = None
    """How often a faulty part is drawn again."""
    best_of: Annotated[int, Field(ge=1, le=MAX_BEST_OF)] | None = None
    """Draws of each part, of which the best is taken."""
    best_by: Literal["logprob", "stt"] | None = None
    """What the best has: the highest mean log-probability, or the fewest wrong phonemes as the model hears it."""

    def guard(self, default: Guard) -> Guard:
        """Returns the server's guard with the request's own settings laid over it.

        Raises:
            RefusedError: if a stream asks for several draws: what was heard can't be taken back.
        """
        given = {name: getattr(self, name) for name in ("retries", "best_of", "best_by")}
        given = {name: value for name, value in given.items() if value is not None}
        for name, off in (("retries", 0), ("best_of", 1)):
            if self.stream_format and given.get(name, off) != off:
                told = f"`{name}` must be {off} for a stream, but is {given[name]}: what was heard can't be taken back."
                raise RefusedError(422, f"{told} Leave out `stream_format`.", param=name)
        return replace(default, **given)

    def decoding(self, default: Decoding) -> Decoding:
        """Returns the server's settings of decoding with the request's own laid over them."""
        given = {row.name: value for row in OPTIONS if (value := getattr(self, row.name)) is not None}
        ar, unmasked = (Sampling(**{**one.named(), **given}) for one in (default.ar, default.unmasking.sampling))
        unmasking = replace(default.unmasking, steps=self.steps or default.unmasking.steps, sampling=unmasked)
        guidance = default.guidance if self.guidance is None else self.guidance
        return replace(default, mode=self.mode or default.mode, ar=ar, unmasking=unmasking, guidance=guidance)

    def reference(self, form: Form) -> bytes | None:
        """Returns the recording that the request brings, None if it brings none.

        Raises:
            RefusedError: if it isn't base64, or there is one beside a voice.
        """
        if unknown := form.files.keys() - {"ref_audio"}:
            name = min(unknown)[:100]
            raise RefusedError(422, f"`{name}` is no file of this request. Send `ref_audio`.", param=name)
        sent = form.files.get("ref_audio")
        found = sent if self.ref_audio is None else _from_base64(self.ref_audio)
        if found is None and self.ref_text is not None:
            raise RefusedError(422, "`ref_text` must come with `ref_audio`, whose words it tells.", param="ref_text")
        if found is None and not self.voice:
            raise RefusedError(422, "`voice` must name a voice, unless `ref_audio` is given.", param="voice")
        if found is not None and self.voice:
            raise RefusedError(422, "`voice` must be empty where `ref_audio` is the voice.", param="voice")
        return found


def _from_base64(text: str) -> bytes:
    _, comma, data = text.partition(";base64,") if text.startswith("data:") else ("", ",", text)
    try:
        if comma:
            return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise RefusedError(422, "`ref_audio` must be a recording in base64, but isn't base64.", param="ref_audio")


def _checked(row: Option) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        try:
            row.check(value)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return value

    return check


_SAMPLING: dict[str, Any] = {
    row.name: (Annotated[row.kind, AfterValidator(_checked(row))] | None, Field(None, description=row.help))
    for row in OPTIONS
}
SpeechBody = create_model("SpeechBody", __base__=_Speech, __doc__="The fields of `POST /v1/audio/speech`.", **_SAMPLING)


class TranscriptionBody(Body):
    """The fields of `POST /v1/audio/transcriptions` beside the `file`."""

    response_format: Literal["json", "text"] = "json"
    """json: `text` (phonemes) and `language`; text: the phonemes."""
    temperature: Annotated[float, Field(ge=0, le=0)] = 0.0
    """Only 0: the likeliest phonemes are taken."""

    def recording(self, form: Form) -> bytes:
        """Returns the file; raises `RefusedError` if there is none."""
        if form.files.keys() != {"file"}:
            raise RefusedError(422, "`file` must be a recording, sent as a file of a form.", param="file")
        return form.files["file"]


FIELDS = frozenset({*SpeechBody.model_fields, *TranscriptionBody.model_fields, "file"})
"""What errors may name as their field."""
