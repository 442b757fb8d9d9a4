"""Vocos: EnCodec's codes with another decoder, which sounds better."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self

from stages.codecs.codec import CodecRow
from stages.codecs.encodec import EncodecCodec, encodec_model, find_encodec
from stages.codecs.weights import hub_folder, load_state, read_state, reason_of
from stages.errors import WeightsError
from stages.records import CodecIdentity

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class VocosCodec(EncodecCodec):
    """EnCodec's codes with Vocos as the decoder, which sounds cleaner than EnCodec's own.

    Source: Vocos, section 4.4, https://arxiv.org/abs/2306.00814.
    """

    _vocos: Any

    @classmethod
    def identify(cls, weights: str | Path | None, sample_rate: int | None) -> CodecIdentity:
        """Returns the identity of EnCodec's codes, under the name `vocos`."""
        _, encodec = find_vocos(weights)
        return replace(EncodecCodec.identify(encodec, sample_rate), name="vocos")

    @classmethod
    def load(cls, weights: str | Path | None, device: str, sample_rate: int | None) -> Self:
        """Loads EnCodec's model from its state dict, and Vocos' from its configuration and state dict."""
        folder, encodec = find_vocos(weights)
        codec = cls(encodec_model(encodec), cls.identify(weights, sample_rate), device)
        codec._vocos = vocos_model(folder, codec.num_codebooks * codec.codebook_size).to(codec._device)
        return codec

    def _quick_wave(self, codes_KT: "Tensor") -> "Tensor":
        return self._wave(codes_KT)

    def _wave(self, codes_KT: "Tensor") -> "Tensor":
        import torch

        num_codebooks = len(codes_KT)
        first_K1 = torch.arange(num_codebooks, device=self._device)[:, None] * self.codebook_size
        features_1DT = self._vocos.codebooks_VD[codes_KT + first_K1].sum(dim=0).T[None]
        kbps = num_codebooks * math.log2(self.codebook_size) * self.frame_rate / 1000
        _, bandwidth = min((value, index) for index, value in enumerate(self._vocos.bandwidths) if value >= kbps)
        hidden_1TD = self._vocos.backbone(features_1DT, bandwidth_id=torch.tensor([bandwidth], device=self._device))
        return self._vocos.head(hidden_1TD)  # type: ignore[no-any-return]


VOCOS_REPOSITORY = "charactr/vocos-encodec-24khz"
VOCOS_FILES = ("config.yaml", "pytorch_model.bin")


def find_vocos(weights: str | Path | None, *, download: bool = True) -> tuple[Path, Path]:
    """Returns the folder of Vocos' weights, and the path of EnCodec's state dict.

    Args:
        weights: As in `load_codec`. Without a `.th` file in the folder, `find_encodec` looks for EnCodec's.
        download: Whether to download files that aren't on this machine.

    Raises:
        WeightsError: if a file is missing and can't be downloaded.
    """
    folder = hub_folder("vocos", "Vocos", weights, VOCOS_REPOSITORY, VOCOS_FILES, download=download)
    return folder, find_encodec(folder if any(folder.glob("*.th")) else None, download=download)


def vocos_model(folder: Path, vectors: int) -> "torch.nn.Module":
    """Loads Vocos without its feature extractor, for which the library would download EnCodec.

    Args:
        folder: Holds `config.yaml` and `pytorch_model.bin`.
        vectors: K * V of EnCodec at 6 kbps. Vocos has its own copy of these vectors.

    Returns:
        A module with `backbone`, `head`, the buffer `codebooks_VD` (the codebooks one after the other) and
        `bandwidths` in kbps, 6.0 among them.

    Raises:
        WeightsError: if the files hold anything else.
    """
    import torch
    import yaml
    from vocos import heads, models

    config_path, state_path = (folder / name for name in VOCOS_FILES)
    state = read_state(state_path)
    model = torch.nn.Module()
    try:
        config = yaml.safe_load(config_path.read_text(encoding="utf-8"))
        model.backbone = _build(models, config["backbone"])
        model.head = _build(heads, config["head"])
        bandwidths = config["feature_extractor"]["init_args"].get("bandwidths", [1.5, 3.0, 6.0, 12.0])
        codebooks_VD = state["feature_extractor.codebook_weights"]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"`{folder}` must hold a Vocos model for EnCodec's codes, but doesn't ({reason_of(error)})."
            " Download its two files again."
        ) from error
    if 6.0 not in bandwidths or len(codebooks_VD) < vectors:
        raise WeightsError(
            f"`{config_path}` must describe a model for 6 kbps with {vectors} vectors, but describes one for"
            f" {bandwidths} kbps with {len(codebooks_VD)}. Use the model for EnCodec at 24 kHz."
        )
    load_state(model, state, state_path)
    model.register_buffer("codebooks_VD", codebooks_VD)
    model.bandwidths = bandwidths
    return model.eval()


def _build(module: ModuleType, section: Mapping[str, Any]) -> "torch.nn.Module":
    """Builds the class that Vocos' configuration names. Only classes of `module` are allowed."""
    name = section["class_path"].removeprefix(f"{module.__name__}.")
    built: torch.nn.Module = getattr(module, name)(**section["init_args"])
    return built


def _files(weights: str | None, _: int | None) -> list[Path]:
    folder, encodec = find_vocos(weights, download=False)
    return [*(folder / name for name in VOCOS_FILES), encodec]


VOCOS = CodecRow(
    "vocos",
    "EnCodec's codes, decoded by Vocos, which sounds better",
    VocosCodec,
    files=_files,
    repository=VOCOS_REPOSITORY,
    packages=("encodec", "vocos", "torchaudio"),
    way="toom-1",  # EnCodec's
    half_precision=True,
    licence="MIT; EnCodec's CC BY-NC 4.0",
    lookahead=30,  # eight blocks of 3 frames to each side, the first convolution's 3, and the inverse STFT
)
