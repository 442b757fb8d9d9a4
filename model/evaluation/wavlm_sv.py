"""The published speaker verifier: WavLM-large with an ECAPA-TDNN head, loaded from `wavlm_large_finetune.pth`.

The modules have the names of the file's tensors. WavLM itself is that of transformers, whose names differ (`_RENAMED`).

Axes: B batch, T frames of 20 ms, D width of WavLM, C channels of the head, E width of the speaker vector.

Source: https://github.com/microsoft/UniSpeech, `downstreams/speaker_verification/models/ecapa_tdnn.py`; WavLM as s3prl
runs it; https://arxiv.org/abs/2005.07143 (ECAPA-TDNN), https://arxiv.org/abs/2110.13900 (WavLM).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from stages.errors import WeightsError

_STRIDES = (5, 2, 2, 2, 2, 2, 2)
_MAX_DISTANCE = 800
"""Largest relative position of WavLM-large, in frames."""
_SCALE = 8
_BOTTLENECK = 128
_POOLED = 1536
_WAVLM = "feature_extract.model."

_RENAMED = (
    (r"^mask_emb$", "masked_spec_embed"),
    (r"^layer_norm\.", "feature_projection.layer_norm."),
    (r"^post_extract_proj\.", "feature_projection.projection."),
    (r"^(feature_extractor\.conv_layers\.\d+)\.0\.", r"\1.conv."),
    (r"^(feature_extractor\.conv_layers\.\d+)\.2\.1\.", r"\1.layer_norm."),
    (r"^encoder\.pos_conv\.0\.weight_g$", "encoder.pos_conv_embed.conv.parametrizations.weight.original0"),
    (r"^encoder\.pos_conv\.0\.weight_v$", "encoder.pos_conv_embed.conv.parametrizations.weight.original1"),
    (r"^encoder\.pos_conv\.0\.", "encoder.pos_conv_embed.conv."),
    (r"\.self_attn\.grep_a$", ".attention.gru_rel_pos_const"),
    (r"\.self_attn\.grep_linear\.", ".attention.gru_rel_pos_linear."),
    (r"\.self_attn\.relative_attention_bias\.", ".attention.rel_attn_embed."),
    (r"\.self_attn\.", ".attention."),
    (r"\.self_attn_layer_norm\.", ".layer_norm."),
    (r"\.fc1\.", ".feed_forward.intermediate_dense."),
    (r"\.fc2\.", ".feed_forward.output_dense."),
)
"""Patterns and replacements from the file's names of WavLM's tensors to those of transformers."""


class ConvReluNorm(nn.Module):
    """Convolution over time, ReLU, batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """Returns `[B, C, T]`."""
        normed: Tensor = self.bn(self.conv(x_BCT).relu())
        return normed


class Res2Conv(nn.Module):
    """Convolutions over groups of channels; each group also gets the previous one's output."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        width = channels // _SCALE
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation) for _ in range(_SCALE - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(_SCALE - 1))

    def forward(self, x_BCT: Tensor) -> Tensor:
        """Returns `[B, C, T]`."""
        groups = x_BCT.chunk(_SCALE, dim=1)
        done: list[Tensor] = []
        for group, conv, norm in zip(groups, self.convs, self.bns, strict=False):
            done.append(norm(conv(group + done[-1] if done else group).relu()))
        return torch.cat([*done, groups[-1]], dim=1)


class Gate(nn.Module):
    """Weights each channel by the means of all over time (squeeze and excitation)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear1 = nn.Linear(channels, _BOTTLENECK)
        self.linear2 = nn.Linear(_BOTTLENECK, channels)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """Returns `[B, C, T]`."""
        weights_BC: Tensor = self.linear2(self.linear1(x_BCT.mean(2)).relu()).sigmoid()
        return x_BCT * weights_BC[..., None]


class Block(nn.Module):
    """A residual block of ECAPA-TDNN."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.Conv1dReluBn1 = ConvReluNorm(channels, channels)
        self.Res2Conv1dReluBn = Res2Conv(channels, dilation)
        self.Conv1dReluBn2 = ConvReluNorm(channels, channels)
        self.SE_Connect = Gate(channels)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """Returns `[B, C, T]`."""
        inner: Tensor = self.SE_Connect(self.Conv1dReluBn2(self.Res2Conv1dReluBn(self.Conv1dReluBn1(x_BCT))))
        return inner + x_BCT


class Pooling(nn.Module):
    """Attention-weighted mean and standard deviation over time."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Conv1d(_POOLED, _BOTTLENECK, 1)
        self.linear2 = nn.Conv1d(_BOTTLENECK, _POOLED, 1)

    def forward(self, x_BCT: Tensor) -> Tensor:
        """Returns `[B, 2 C]`."""
        weights_BCT = self.linear2(self.linear1(x_BCT).tanh()).softmax(2)
        mean_BC = (weights_BCT * x_BCT).sum(2)
        variance_BC = (weights_BCT * x_BCT**2).sum(2) - mean_BC**2
        return torch.cat([mean_BC, variance_BC.clamp(min=1e-9).sqrt()], dim=1)


class WavLMEcapa(nn.Module):
    """Turns waves into speaker vectors.

    Args:
        wavlm: A `WavLMModel` of transformers.
        channels: C.
        width: E.
    """

    def __init__(self, wavlm: Any, channels: int, width: int) -> None:
        super().__init__()
        self.wavlm = wavlm
        self.feature_weight = nn.Parameter(torch.zeros(wavlm.config.num_hidden_layers + 1))
        self.layer1 = ConvReluNorm(wavlm.config.hidden_size, channels, kernel=5)
        self.layer2, self.layer3, self.layer4 = (Block(channels, dilation) for dilation in (2, 3, 4))
        self.conv = nn.Conv1d(3 * channels, _POOLED, 1)
        self.pooling = Pooling()
        self.bn = nn.BatchNorm1d(2 * _POOLED)
        self.linear = nn.Linear(2 * _POOLED, width)

    @classmethod
    def load(cls, path: Path, device: str = "cpu") -> Self:
        """Loads the published file, or one of the same architecture in other sizes.

        Raises:
            WeightsError: if the file is of another model.
        """
        import pickle

        try:
            state = torch.load(path, map_location="cpu", weights_only=True)["model"]
            model = cls(_wavlm(state), state["layer1.conv.weight"].shape[0], state["linear.weight"].shape[0])
            head = {name for name in model.state_dict() if not name.startswith("wavlm.")}
            model.load_state_dict(
                {f"wavlm.{_renamed(name)}": value for name, value in _inner(state).items()}
                | {name: state[name] for name in head}
            )
        except (pickle.UnpicklingError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise WeightsError(
                f"`--speaker` must be UniSpeech's `wavlm_large_finetune.pth` (WavLM-large with an ECAPA-TDNN head), but"
                f" `{path}` isn't: {reason}. Give that file, or a folder with a `WavLMForXVector` of transformers."
            ) from error
        return model.to(device).eval()

    def forward(self, wave_BL: Tensor) -> Tensor:
        """Returns the speaker vectors.

        Args:
            wave_BL: `[B, samples]` at 16 kHz, float in [-1, 1], all of one length.

        Returns:
            `[B, E]`.
        """
        heard = self.wavlm(nn.functional.layer_norm(wave_BL, wave_BL.shape[1:]), output_hidden_states=True)
        # The last state is taken after WavLM's final norm: not every version of transformers has it in `hidden_states`.
        states = [*heard.hidden_states[:-1], heard.last_hidden_state]
        mixed_BTD = torch.tensordot(self.feature_weight.softmax(0), torch.stack(states), dims=1)
        x_BCT = self.layer1(nn.functional.instance_norm(mixed_BTD.transpose(1, 2) + 1e-6))
        outputs = []
        for layer in (self.layer2, self.layer3, self.layer4):
            x_BCT = layer(x_BCT)
            outputs.append(x_BCT)
        pooled_BC = self.pooling(self.conv(torch.cat(outputs, dim=1)).relu())
        vectors_BE: Tensor = self.linear(self.bn(pooled_BC))
        return vectors_BE


def _inner(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(_WAVLM): value for name, value in state.items() if name.startswith(_WAVLM)}


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMED:
        name, found = re.subn(pattern, replacement, name)
        if found:
            return name
    return name


def _wavlm(state: Mapping[str, Tensor]) -> Any:
    """Returns an untrained WavLM of the sizes of the file's tensors."""
    from transformers import WavLMConfig, WavLMModel

    inner = _inner(state)
    layers = 1 + max(int(name.split(".")[2]) for name in inner if name.startswith("encoder.layers."))
    convolutions = [inner[f"feature_extractor.conv_layers.{index}.0.weight"] for index in range(len(_STRIDES))]
    feedforward, width = inner["encoder.layers.0.fc1.weight"].shape
    position = inner["encoder.pos_conv.0.weight_v"]
    buckets, heads = inner["encoder.layers.0.self_attn.relative_attention_bias.weight"].shape
    return WavLMModel(
        WavLMConfig(
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=feedforward,
            conv_dim=tuple(weight.shape[0] for weight in convolutions),
            conv_kernel=tuple(weight.shape[2] for weight in convolutions),
            conv_stride=_STRIDES,
            conv_bias="feature_extractor.conv_layers.0.0.bias" in inner,
            num_conv_pos_embeddings=position.shape[2],
            num_conv_pos_embedding_groups=width // position.shape[1],
            num_buckets=buckets,
            max_bucket_distance=_MAX_DISTANCE,
            # unlike the base model
            feat_extract_norm="layer",
            do_stable_layer_norm=True,
        )
    )
