"""The keys of `transcribe` that say how recordings without a text are heard."""

from pydantic import Field, field_validator

from stages.config import StageConfig, runtime
from stages.hearing.asr.decoding import ComputeType, WindowName
from stages.hearing.diarise import MODEL
from stages.hearing.timing import Times
from stages.hearing.whisper import VadName
from stages.text.declared import known_code


class HearingConfig(StageConfig):
    """How whisper hears, and what gives its words their times."""

    model: str = "large-v3"
    """The whisper model: a size, a repository of the Hugging Face hub, a folder in CTranslate2 format, or `packaged`:
    tiny.en from the extra `hearing`, which hears only English."""
    compute_type: ComputeType = "auto"
    """Number format of whisper; `auto`: float16 on CUDA; on the CPU float32, and int8 in the decoder of a model under
    500 MB."""
    windows: WindowName = "auto"
    """What whisper's encoder computes. `full`: 30 s for each stretch of speech, however short; `short`: the speech and
    two seconds; `auto`: short where that was measured (tiny.en on a CPU)."""
    beam_size: int = Field(5, ge=1)
    """Beam width of whisper's decoding."""
    vad: VadName = "silero"
    """Voice activity detector that runs before whisper. The weights of both ship with their packages."""
    chunk_s: float = Field(20.0, gt=0, le=30)
    """Longest stretch of speech given to whisper at once, in seconds; it ends at a pause."""
    align: bool = True
    """Whether the words that whisper hears get times, by `times`."""
    align_models: dict[str, str] = Field(default_factory=dict)
    """wav2vec2 alignment models by language: a folder or a name. Other languages use whisperX's default model."""
    times: Times = "auto"
    """Aligner that adds times to heard text, and to a long text without any, so that `slice` can cut its recording.
    `wav2vec2`: a model of `align_models` or whisperX's default; `pocketsphinx`: English only, needs the extra `align`;
    `auto`: a model of `align_models`, else (heard text only) a default one in the cache, else pocketsphinx where it is
    installed. Heard text that none of them can place is placed by whisper's own attention."""
    times_over_s: float = Field(20.0, ge=0)
    """Seconds. Only longer recordings are given times; 0: all of them. wav2vec2 places all heard text."""
    diarize: bool = False
    """Whether pyannote labels the speaker of each segment that whisperX hears."""
    diarize_model: str = MODEL
    """The pyannote pipeline: a repository of the Hugging Face hub (needs `HF_TOKEN`), or a folder."""
    min_speakers: int | None = Field(None, ge=1)
    """Fewest speakers in a recording; not set: no lower bound."""
    max_speakers: int | None = Field(None, ge=1)
    """Most speakers in a recording; not set: no upper bound."""
    verify: str | None = runtime(None)
    """A whisper model, as `model`, with which `slice` hears every cut again, also of given texts, to tell how far they
    are from the sound (`slice.max_misheard`). Its content, not its name, enters the fingerprint of `slice`."""
    batch_size: int = runtime(8, ge=1)
    """Stretches of speech per whisper batch; a batch may span several recordings."""

    @field_validator("align_models")
    @classmethod
    def _known_keys(cls, value: dict[str, str]) -> dict[str, str]:
        return {known_code(code): model for code, model in value.items()}
