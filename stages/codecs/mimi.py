"""Mimi: up to 32 codebooks of 2048 at 12.5 frames a second, through transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stages.codecs.codec import CodecRow
from stages.codecs.network import Batch, NetworkCodec, causal_batches
from stages.codecs.weights import hub_folder, reason_of, revision_of
from stages.errors import WeightsError
from stages.records import CodecIdentity

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_BATCH_S = 240
"""Most seconds of audio in a batch, padding included."""


class MimiCodec(NetworkCodec):
    """Mimi at 24 kHz: codebook 0 is trained to tell words apart, the others hold the rest of the sound.

    On the CPU the codes are exactly those of transformers. The model is causal, so on CUDA waves of similar lengths
    share a batch. They are padded with zeros, which may change a wave's last frame; the other waves of a batch change
    nothing.

    Source: Moshi, section 3.3, https://arxiv.org/abs/2410.00037.
    """

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:  # noqa: ARG003
        """Returns the identity with all codebooks of the weights; its sizes are read from `config.json`."""
        folder = find_mimi(weights)
        config = mimi_config(folder)
        sizes = config.sampling_rate, float(config.frame_rate), config.num_quantizers, config.codebook_size
        return CodecIdentity("mimi", *sizes, revision_of(folder / MIMI_FILES[1]))

    @classmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads the model with all its codebooks; see `mimi_model`."""
        folder = find_mimi(weights)
        return cls(mimi_model(folder), cls.identify(folder, sample_rate), device)

    def embeddings(self) -> "Tensor":
        """As `Codec.embeddings`; D is the width of the decoder's input (512 in the published model)."""
        import torch

        quantizer = self._model.quantizer
        found = []
        for part in (quantizer.semantic_residual_vector_quantizer, quantizer.acoustic_residual_vector_quantizer):
            for layer in part.layers:
                vectors_1DV = layer.codebook.embed.T[None]
                whole_1DV = vectors_1DV if part.output_proj is None else part.output_proj(vectors_1DV)
                found.append(whole_1DV[0].T)
        return torch.stack(found[: self.num_codebooks]).detach().float().cpu()

    def _batches(self, frames: Sequence[int]) -> list[Batch]:
        return causal_batches(frames, most=round(_BATCH_S * self.frame_rate))

    def _codes(self, wave_B1L: "Tensor") -> "Tensor":
        # The library refuses fewer codebooks than the semantic ones, of which the published model has one.
        count = max(self.num_codebooks, self._model.config.num_semantic_quantizers)
        codes_BKT: Tensor = self._model.encode(wave_B1L, num_quantizers=count).audio_codes
        return codes_BKT[:, : self.num_codebooks]

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        return self._model.decode(codes_KT[None]).audio_values  # type: ignore[no-any-return]


MIMI_REPOSITORY = "kyutai/mimi"
MIMI_FILES = ("config.json", "model.safetensors")


def find_mimi(weights: str | Path | None, *, download: bool = True) -> Path:
    """Returns the folder of Mimi's weights, as `MimiModel.save_pretrained` writes it.

    Args:
        weights: As in `load_codec`.
        download: Whether to download files that aren't on this machine.

    Raises:
        WeightsError: if a file is missing and can't be downloaded.
    """
    return hub_folder("Mimi", weights, "VALLE_MIMI_WEIGHTS", MIMI_REPOSITORY, MIMI_FILES, download=download)


def mimi_config(folder: Path) -> Any:
    """Reads the `MimiConfig` of a folder without loading the weights.

    Raises:
        WeightsError: if it describes another model, or one that isn't mono or has no whole number of samples a frame.
    """
    import json

    from huggingface_hub import errors
    from transformers import MimiConfig

    path = folder / MIMI_FILES[0]
    # transformers 5 checks the types of a configuration with an error of the hub's, which older hubs don't have
    mistyped = getattr(errors, "StrictDataclassError", TypeError)
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.get("model_type") != "mimi":
            raise ValueError("its `model_type` isn't `mimi`")  # noqa: TRY301
        config = MimiConfig(**values)
        if config.audio_channels != 1 or not config.use_causal_conv:
            raise ValueError("it isn't mono and causal")  # noqa: TRY301
        if config.sampling_rate % config.frame_rate:
            raise ValueError(f"{config.frame_rate:g} frames a second don't divide {config.sampling_rate} Hz")  # noqa: TRY301
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, mistyped) as error:
        raise WeightsError(
            f"`{path}` must describe a mono, causal Mimi, but doesn't ({reason_of(error)})."
            f" Use the file of {MIMI_REPOSITORY} (Hugging Face hub)."
        ) from error
    return config


def mimi_model(folder: Path) -> "torch.nn.Module":
    """Loads Mimi in float32. A missing tensor is an error, which transformers would draw at random.

    Raises:
        WeightsError: if the files hold anything else.
    """
    from safetensors import SafetensorError
    from transformers import MimiModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    path = folder / MIMI_FILES[1]
    config = mimi_config(folder)
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # its table of tensors that don't fit: the error below says it in a line
    try:
        model, found = MimiModel.from_pretrained(
            folder, config=config, use_safetensors=True, local_files_only=True, output_loading_info=True
        )
    except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
        raise WeightsError(
            f"`{path}` must fit the Mimi of `config.json` beside it, but doesn't ({reason_of(error)})."
            f" Download the files of {MIMI_REPOSITORY} again."
        ) from error
    finally:
        logging.set_verbosity(verbosity)
    wrong = sorted(found["missing_keys"]) or sorted(map(str, found["mismatched_keys"]))
    if wrong:
        raise WeightsError(
            f"`{path}` must fit the Mimi of `config.json` beside it, but {len(wrong)} tensors are missing or of another"
            f" size, such as {wrong[0]}. Download the files of {MIMI_REPOSITORY} again."
        )
    whole: torch.nn.Module = model.float()
    return whole


def _files(weights: str | None, _: int | None) -> list[Path]:
    folder = find_mimi(weights, download=False)
    return [folder / name for name in MIMI_FILES]


MIMI = CodecRow(
    "mimi",
    "24 kHz, 8 of 32 codebooks of 2048 at 12.5 Hz: a sixth of EnCodec's frames",
    MimiCodec,
    files=_files,
    packages=("transformers",),
    codebooks=8,  # as Moshi uses it: 1.1 kbps
    licence="CC BY 4.0",
    lookahead=0,  # causal
)
