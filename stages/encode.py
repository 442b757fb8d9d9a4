"""The stage `encode`: turns utterances into codec codes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationInfo, field_validator

from stages.artefacts.disk import atomic, write_text
from stages.artefacts.formats import CodeRows
from stages.artefacts.manifest import CODEC, EMBEDDINGS
from stages.audio import files as audio
from stages.base import Filtered, Reject, Stage, guarded, single
from stages.codecs.codec import LongCodes
from stages.codecs.network import Precision
from stages.codecs.table import CODECS, Codec, codec_embeddings, codec_identity, encode_arrays, load_codec
from stages.config import StageConfig, runtime
from stages.errors import CodecError, NotFetchedError, WeightsError
from stages.records import CodecIdentity, Encoded, Utterance, Wave, to_line

_CUDA_CALL = 512
"""Utterances per call on CUDA: enough to fill batches of similar lengths. Fixed, so that no setting changes codes."""


class EncodeConfig(StageConfig):
    """Which codec, and where its weights are."""

    codec: str = "encodec"
    """`encodec`: 24 kHz, 8 codebooks at 75 Hz; `vocos`: the same codes, decoded by Vocos; `dac`: `dac_model`, 9 to 32
    codebooks; `mimi`: 24 kHz, up to 32 codebooks at 12.5 Hz; `higgs`: 24 kHz, 8 codebooks at 25 Hz; `neucodec`: 16 kHz
    in and 24 kHz out, 1 codebook of 65,536 at 50 Hz; `xcodec2`: the same at 16 kHz; `embedded`: 24 kHz, 8 codebooks at
    75 Hz, without a download. A file in `stages/codecs` adds another."""
    weights: str | None = runtime(None)
    """The codec's weights: a file, or for `vocos` and the models of transformers (`mimi`, `neucodec`, `xcodec2`,
    `higgs`) a folder. Not set: the codec's environment variable, then its library's cache, then a download. The
    content, not the path, enters the fingerprint."""
    dac_model: Literal["44khz", "24khz", "16khz"] = "44khz"
    """The published DAC model to download when `weights` isn't set."""
    codebooks: int | None = Field(default=None, ge=1)
    """How many codebooks to use, from the first: fewer are less work for a model, and sound rougher. Not set: 8 of
    `mimi`'s 32, all of any other codec's."""
    precision: Precision = "float32"
    """Number format of the encoder network. `bfloat16` and `float16` are faster on CUDA but change some codes.
    `embedded` and the models of transformers support `float32` only."""
    exact: bool = False
    """On the CPU, whether to compute `encodec`, `vocos` and `dac` as their libraries do, bit for bit. Otherwise the
    encoder is two to three times as fast, and rounding flips less than one code in a thousand."""
    batch_size: int = runtime(16, ge=1)
    """Utterances read before each call of the codec, on the CPU; doesn't change any code. On CUDA it is always 512,
    in order of their ids in the shard, so that batches don't depend on workers or settings."""

    @field_validator("codec")
    @classmethod
    def _known(cls, codec: str) -> str:
        if codec not in CODECS:
            raise ValueError(f"must be one of {', '.join(CODECS)}, but is {codec!r}")
        return codec

    @field_validator("precision")
    @classmethod
    def _computed(cls, precision: Precision, info: ValidationInfo) -> Precision:
        codec = CODECS.get(info.data.get("codec", ""))
        if precision != "float32" and codec and not codec.half_precision:
            raise ValueError(f"must be float32 for `{codec.name}`, but is {precision}")
        return precision

    @property
    def way(self) -> str:
        """The way of the codec to compute on the CPU (`CodecRow.way`); empty for its library's, or its only one."""
        return "" if self.exact or self.precision != "float32" else CODECS[self.codec].way

    def identity(self) -> dict[str, Any]:
        """As for every section, but without `exact` where codes are the library's, and without usual `codebooks`.

        Datasets older than `exact` hold such codes, and are therefore up to date with `encode.exact=true`. Those older
        than `codebooks` hold the usual ones.
        """
        found = super().identity()
        if not self.way:
            del found["exact"]
        if self.codebooks in (None, CODECS[self.codec].codebooks):
            del found["codebooks"]
        return found

    @property
    def sample_rate(self) -> int | None:
        """The sample rate in Hz of the published model to use; None if the codec has only one model."""
        return CODECS[self.codec].models.get(self.dac_model)


def of_earlier(section: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a run's section, as stored: one older than `exact` made the library's codes, and keeps to them."""
    row = CODECS.get(section.get("codec", ""))
    return {"exact": bool(row and row.way), **section}


class Encode(Stage[EncodeConfig, Utterance, Encoded]):
    """Cuts each utterance out of its recording and encodes it."""

    name = "encode"
    needs = "g2p"
    version = 1
    computes = True
    format = CodeRows()

    _codec: Codec

    @property
    def batch_size(self) -> int:
        """Utterances per call of `process`."""
        return _CUDA_CALL if self.on_gpu else self.config.batch_size

    @cached_property
    def identity(self) -> CodecIdentity:
        """The codec's identity, found without loading it; downloads the weights if they aren't on this machine.

        Raises:
            WeightsError: if the download fails.
            CodecError: if the weights have fewer codebooks than `encode.codebooks`.
        """
        config, rate = self.config, self.config.sample_rate
        return codec_identity(config.codec, config.weights, sample_rate=rate, codebooks=config.codebooks)

    def revision(self) -> str:
        """Returns the short hash of the weights, and the way to compute if it isn't the library's."""
        return " ".join(filter(None, (self.identity.revision, self.config.way)))

    def check(self, items: Iterable[Utterance]) -> list[str]:  # noqa: ARG002
        """Returns the problem with the weights, if there is one."""
        try:
            self.revision()
        except NotFetchedError:
            return []  # a dry run downloads nothing
        except (CodecError, WeightsError) as error:
            return [str(error)]
        return []

    @property
    def imports(self) -> tuple[str, ...]:
        """What the codec runs on."""
        return ("torch",) if self.on_gpu else CODECS[self.config.codec].imports

    def setup(self) -> None:
        """Loads the codec."""
        config, rate = self.config, self.config.sample_rate
        device, precision = self.context.device, config.precision
        self._codec = load_codec(
            config.codec,
            config.weights,
            device,
            sample_rate=rate,
            precision=precision,
            exact=config.exact,
            codebooks=config.codebooks,
        )

    def process(self, items: Sequence[Utterance]) -> list[list[Encoded | Filtered | Reject]]:
        """Encodes the utterances; rejects those whose audio can't be read."""
        cuts = [cut for [cut] in guarded(items, self._cut, root=self.context.voices)]
        codes = iter(encode_arrays(self._codec, [cut for cut in cuts if not isinstance(cut, Filtered | Reject)]))
        return single(
            [
                cut if isinstance(cut, Filtered | Reject) else self._encoded(item, next(codes))
                for item, cut in zip(items, cuts, strict=True)
            ]
        )

    def _cut(self, item: Utterance) -> list[Wave | Filtered | Reject]:
        """Reads an utterance's audio at the codec's sample rate."""
        place = self.context.place(item.recording)
        wave = audio.read_cut(
            place, item.start_samples, item.end_samples, self._codec.sample_rate, gain_db=item.gain_db
        )
        return [wave]

    def _encoded(self, item: Utterance, codes_KT: LongCodes) -> Encoded:
        smallest = np.min_scalar_type(self._codec.codebook_size - 1)
        return Encoded(replace(item, frames=codes_KT.shape[1]), codes_KT.astype(smallest))

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Writes the identity and the embeddings of the codec."""
        config = self.config
        write_text(folder / CODEC, to_line(self.identity.to_json()) + "\n")
        embeddings_KVD = codec_embeddings(
            config.codec, config.weights, sample_rate=config.sample_rate, codebooks=config.codebooks
        )
        with atomic(folder / EMBEDDINGS) as path, path.open("wb") as file:
            np.save(file, embeddings_KVD, allow_pickle=False)
        return [CODEC, EMBEDDINGS]


STAGE = Encode
