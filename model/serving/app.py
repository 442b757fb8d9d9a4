"""The application: the paths of OpenAI's speech interface, and two for those who keep the server running."""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from model.inference.requests import Request as Asked
from model.inference.service import Service
from model.serving.answers import streamed, waited, whole
from model.serving.bodies import FIELDS, Form, SpeechBody, TranscriptionBody, read_form
from model.serving.errors import RefusedError, answer, failure, named_status
from model.serving.figures import CONTENT_TYPE, Figures
from model.serving.guard import OPEN_PATH, Guard
from model.serving.settings import Settings
from model.serving.voices import Voices
from stages.audio.files import resample
from stages.audio.uploads import decode
from stages.errors import ValleError

if TYPE_CHECKING:
    from model.inference.prompts import Prompt
    from model.inference.voices import Voice
    from stages.records import Wave


class Api:
    """The answers to requests.

    Args:
        service: Owns the model.
        settings: The limits.
    """

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service = service
        self.settings = settings
        self.voices = Voices(settings.voices)
        self.figures = Figures(service)
        checkpoint = service.synthesizer.checkpoint
        self._trained = checkpoint.config.data
        self._codec = checkpoint.meta.codec
        self._created = int(checkpoint.folder.stat().st_mtime)
        self.hidden: Mapping[str, str] = {str(checkpoint.folder): settings.name}
        if settings.voices is not None:
            folders = {f"{settings.voices}/", f"{settings.voices.resolve()}/"}
            self.hidden = {**self.hidden, **dict.fromkeys(folders, "")}

    async def speech(self, request: Request) -> Response:
        """Speaks a text."""
        form = await read_form(request)
        body, asked = await anyio.to_thread.run_sync(self._speech_request, form)
        respond = whole if body.stream_format is None else streamed
        return await respond(request, self.service, asked, body, self.figures)

    async def transcriptions(self, request: Request) -> Response:
        """Recognises the phonemes of a recording."""
        form = await read_form(request)
        body, wave = await anyio.to_thread.run_sync(self._transcription, form)
        heard = await waited(request, self.service, self.service.hear(wave, language=body.language))
        if body.response_format == "text":
            return PlainTextResponse(f"{heard.phonemes}\n")
        return JSONResponse({"text": heard.phonemes, "language": heard.language, "ended": heard.ended})

    async def models(self) -> dict[str, Any]:
        """Lists the one model."""
        return {"object": "list", "data": [self._model()]}

    async def model(self, name: str) -> dict[str, Any]:
        """Describes the model."""
        self._check_model(name)
        return self._model()

    async def list_voices(self) -> dict[str, Any]:
        """Lists the voices."""
        return {"object": "list", "voices": await anyio.to_thread.run_sync(self.voices.listed)}

    async def health(self) -> dict[str, Any]:
        """Says that the server answers."""
        return {"status": "ok", "queue": self.service.open_requests}

    async def metrics(self) -> Response:
        """Returns figures for Prometheus."""
        return Response(self.figures.text(), media_type=CONTENT_TYPE)

    def _model(self) -> dict[str, Any]:
        return {"id": self.settings.name, "object": "model", "created": self._created, "owned_by": "valle"}

    def _check_model(self, name: str) -> None:
        if name != self.settings.name:
            told = f"`model` must be `{self.settings.name}`, but is `{name[:200]}`."
            raise RefusedError(404, told, param="model", code="model_not_found")

    def _speech_request(self, form: Form) -> tuple[Any, Asked]:
        """Reads the body of a request for speech, and its voice."""
        body = SpeechBody.read(form)
        self._check_model(body.model)
        if len(body.input) > self.settings.max_characters:
            told = f"`input` must be at most {self.settings.max_characters} characters, but has {len(body.input)}."
            raise RefusedError(413, f"{told} Send it in parts.", param="input", code="too_large")
        longest_s = self._trained.max_s
        if body.max_s is not None and body.max_s > longest_s:
            told = f"`max_s` must be at most {longest_s:g}, the longest that the model learnt, but is {body.max_s:g}."
            raise RefusedError(422, told, param="max_s")
        prompt, text = self._prompt(body, form)
        return body, Asked(
            body.input,
            prompt,
            text,
            language=body.language,
            tone=body.tone,
            seed=body.seed,
            max_s=body.max_s,
            speed=body.speed,
            decoding=body.decoding(self.settings.decoding),
            guard=body.guard(self.settings.guard),
        )

    def _prompt(self, body: Any, form: Form) -> "tuple[Prompt | Voice, str | None]":
        """Returns the voice that a request names or brings, and what its recording says."""
        recording = body.reference(form)
        if recording is not None:
            return self._wave(recording, "ref_audio"), body.ref_text
        return self.voices.find(body.voice).given(self._trained)

    def _transcription(self, form: Form) -> "tuple[TranscriptionBody, Wave]":
        body = TranscriptionBody.read(form)
        self._check_model(body.model)
        self.service.synthesizer.check_trained("stt")
        return body, self._wave(body.recording(form), "file")

    def _wave(self, recording: bytes, name: str) -> "Wave":
        """Returns the wave of a file that a client sent, at the codec's rate."""
        wave, rate = decode(recording, name=name, max_s=self.settings.max_reference_s)
        return resample(wave, rate, self._codec.sample_rate)


def create_app(service: Service, settings: Settings, *, browsers: bool = False) -> FastAPI:
    """Makes the application.

    Args:
        service: Owns the model.
        settings: The limits.
        browsers: Whether a browser may send the key as a password.

    Raises:
        UsageError: if the voices can't be listed.
    """
    api = Api(service, settings)
    # No pages of documentation: they would load scripts from elsewhere.
    app = FastAPI(title="valle", docs_url=None, redoc_url=None)
    app.add_middleware(Guard, settings=settings, figures=api.figures, browsers=browsers)
    speech, transcriptions = "/v1/audio/speech", "/v1/audio/transcriptions"
    app.add_api_route(speech, api.speech, methods=["POST"], response_model=None, openapi_extra=_schema())
    app.add_api_route(transcriptions, api.transcriptions, methods=["POST"], response_model=None)
    gets: Mapping[str, Callable[..., Any]] = {
        "/v1/models": api.models,
        "/v1/models/{name:path}": api.model,
        "/v1/audio/voices": api.list_voices,
        OPEN_PATH: api.health,
        "/metrics": api.metrics,
    }
    for path, endpoint in gets.items():
        app.add_api_route(path, endpoint, methods=["GET"], response_model=None)
    app.add_exception_handler(ValleError, lambda _, error: _told(error, api.hidden))
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, lambda *_: JSONResponse(failure(), 500))
    return app


def _told(error: Exception, hidden: Mapping[str, str]) -> Response:
    assert isinstance(error, ValleError)
    found = answer(error, hidden, FIELDS)
    if found.status_code >= 500:
        logging.getLogger("uvicorn.error").error("%s: %s", type(error).__name__, error)
    return found


async def _of_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(named_status(error.status_code, error.detail), error.status_code, headers=error.headers)


def _schema() -> dict[str, Any]:
    schema = SpeechBody.model_json_schema()
    kinds = "application/json", "multipart/form-data"
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema} for kind in kinds}}}
