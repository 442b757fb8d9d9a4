"""Writes random weights of the codecs in each library's own format, so that the real code runs offline."""

from pathlib import Path
from typing import Any

import torch
import yaml


def save_all(folder: Path) -> dict[str, Path]:
    """Writes the weights of all codecs that don't ship with theirs; returns their paths by the codec's name."""
    encodec = save_encodec(folder)
    return {
        "encodec": encodec,
        "vocos": save_vocos(folder / "vocos", encodec),
        "dac": save_dac(folder),
        "mimi": save_mimi(folder / "mimi"),
        "neucodec": save_neucodec(folder / "neucodec"),
        "xcodec2": save_xcodec2(folder / "xcodec2"),
        "higgs": save_higgs(folder / "higgs"),
    }


def save_encodec(folder: Path, seed: int = 0) -> Path:
    """Writes a state dict of EnCodec's 24 kHz model at full size; its codebooks fit its encoder's output."""
    from encodec import EncodecModel

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = EncodecModel.encodec_model_24khz(pretrained=False)
        volume = 0.5 * torch.rand(1, 1, 256).repeat_interleave(320, dim=2)
        residual_TD = model.encoder(volume * torch.randn(1, 1, 256 * 320))[0].T
        for layer in model.quantizer.vq.layers:
            codebook = layer._codebook
            codebook.embed.copy_(residual_TD[torch.randint(256, (1024,))] * torch.rand(1024, 1))
            codebook.inited.fill_(1)
            residual_TD = residual_TD - codebook(residual_TD[None])[0][0]
    path = folder / "encodec.th"
    torch.save(model.state_dict(), path)
    return path


def save_vocos(folder: Path, encodec: Path, seed: int = 0) -> Path:
    """Writes a folder with a small Vocos, as on the hub, and a link to EnCodec's state dict beside it."""
    from vocos.heads import ISTFTHead
    from vocos.models import VocosBackbone

    folder.mkdir()
    (folder / "encodec.th").symlink_to(encodec)
    state = torch.load(encodec, weights_only=True)
    features = {"encodec_model": "encodec_24khz", "bandwidths": [1.5, 3.0, 6.0, 12.0]}
    backbone = {"input_channels": 128, "dim": 32, "intermediate_dim": 64, "num_layers": 2, "adanorm_num_embeddings": 4}
    head = {"dim": 32, "n_fft": 1280, "hop_length": 320, "padding": "same"}
    config = {
        "feature_extractor": {"class_path": "vocos.feature_extractors.EncodecFeatures", "init_args": features},
        "backbone": {"class_path": "vocos.models.VocosBackbone", "init_args": backbone},
        "head": {"class_path": "vocos.heads.ISTFTHead", "init_args": head},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        parts = {"backbone": VocosBackbone(**backbone), "head": ISTFTHead(**head)}
    for embedding in parts["backbone"].modules():
        if isinstance(embedding, torch.nn.Embedding):
            embedding.weight.data += torch.arange(4)[:, None]  # so that each bandwidth sounds different
    vectors = [state[f"quantizer.vq.layers.{k}._codebook.embed"] for k in range(16)]
    weights = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    weights["feature_extractor.codebook_weights"] = torch.cat(vectors) + 0.01
    torch.save(weights, folder / "pytorch_model.bin")
    return folder


def save_dac(folder: Path, seed: int = 0) -> Path:
    """Writes a small DAC with the strides of the published 24 kHz model; one is odd."""
    from dac import DAC

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = DAC(
            encoder_dim=4,
            encoder_rates=[2, 4, 5, 8],
            decoder_dim=32,
            decoder_rates=[8, 5, 4, 2],
            n_codebooks=3,
            codebook_size=256,
            sample_rate=24_000,
        )
    path = folder / "dac.pth"
    model.save(path, package=False)
    return path


def save_mimi(folder: Path, seed: int = 0) -> Path:
    """Writes a small Mimi of 12 codebooks with the strides of the published one, as on the hub.

    Its codebooks fit its encoder's output. Its attention reaches 20 of its transformer's positions, as far as in the
    published model for a wave of these tests' length.
    """
    from transformers import MimiConfig, MimiModel

    config = MimiConfig(
        hidden_size=32,
        num_filters=4,
        codebook_size=64,
        codebook_dim=16,
        vector_quantization_hidden_dimension=16,
        num_quantizers=12,
        upsample_groups=32,
        num_hidden_layers=2,
        intermediate_size=64,
        num_attention_heads=2,
        num_key_value_heads=2,
        sliding_window=20,
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = MimiModel(config).eval()
        volume = 0.5 * torch.rand(1, 1, 256).repeat_interleave(1920, dim=2)
        latent_1DT = model.encoder(volume * torch.randn(1, 1, 256 * 1920)).latents
        quantizer = model.quantizer
        for part in (quantizer.semantic_residual_vector_quantizer, quantizer.acoustic_residual_vector_quantizer):
            residual_TD = part.input_proj(latent_1DT)[0].T
            for layer in part.layers:
                layer.codebook.embed_sum.copy_(residual_TD[torch.randint(256, (64,))] * torch.rand(64, 1))
                layer.codebook._embed = None
                residual_TD = residual_TD - layer.codebook.decode(layer.codebook.encode(residual_TD))
    model.save_pretrained(folder)
    return folder


_W2V_BERT = {
    "model_type": "wav2vec2-bert",
    "hidden_size": 32,
    "output_hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
_FSQ = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "encoder_hidden_size": 4,
    "quantization_dim": 96,  # as wide as both encoders together
}
"""Small, but with the strides, features and 65,536 codes of the published models; norms divide the width by 32."""


def save_neucodec(folder: Path, seed: int = 0) -> Path:
    """Writes a small NeuCodec, as on the hub."""
    from transformers import NeuCodecConfig, NeuCodecFeatureExtractor, NeuCodecModel

    config = NeuCodecConfig(semantic_model_config=_W2V_BERT, **_FSQ)
    return _save_fsq(folder, NeuCodecModel, config, NeuCodecFeatureExtractor(), seed)


def save_xcodec2(folder: Path, seed: int = 0) -> Path:
    """Writes a small X-Codec 2, as on the hub."""
    from transformers import Xcodec2Config, Xcodec2FeatureExtractor, Xcodec2Model

    config = Xcodec2Config(semantic_model_config=_W2V_BERT, **_FSQ)
    return _save_fsq(folder, Xcodec2Model, config, Xcodec2FeatureExtractor(), seed)


def _save_fsq(folder: Path, kind: Any, config: Any, extractor: Any, seed: int) -> Path:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = kind(config).eval()
        heard: list[torch.Tensor] = []
        project = model.quantizer.project_in
        hook = project.register_forward_hook(lambda *given: heard.append(given[-1][0]))
        volume = 0.5 * torch.rand(200).repeat_interleave(320)
        model.encode(**extractor(audio=volume * torch.randn(200 * 320), sampling_rate=16_000, return_tensors="pt"))
        hook.remove()
        deviation, mean = torch.std_mean(heard[0], dim=0)
        project.weight.div_(deviation[:, None])  # random layers hardly tell sounds apart: few codes would be used
        project.bias.sub_(mean).div_(deviation)
    model.save_pretrained(folder)
    return folder


def save_higgs(folder: Path, seed: int = 0) -> Path:
    """Writes a small tokenizer of Higgs Audio v2 with the rates and 8 codebooks of the published one, as on the hub.

    Its codebooks fit its encoders' output.
    """
    from transformers import HiggsAudioV2TokenizerConfig, HiggsAudioV2TokenizerModel

    acoustic = {"encoder_hidden_size": 4, "downsampling_ratios": [8, 5, 4, 2, 3], "hidden_size": 16}
    hubert = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = HiggsAudioV2TokenizerConfig(
        target_bandwidths=[0.5, 1, 1.5, 2],
        codebook_dim=8,
        acoustic_model_config={
            "model_type": "dac",
            **acoustic,
            "decoder_hidden_size": 64,
            "upsampling_ratios": [8, 5, 4, 2, 3],
        },
        semantic_model_config={"model_type": "hubert", "conv_dim": [16] * 7, "num_conv_pos_embeddings": 16, **hubert},
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = HiggsAudioV2TokenizerModel(config).eval()
        volume = 0.5 * torch.rand(1, 1, 400).repeat_interleave(960, dim=2)
        wave = volume * torch.randn(1, 1, 400 * 960)
        heard = []
        hook = model.fc.register_forward_hook(lambda *given: heard.append(given[-1][0]))
        for layer in model.quantizer.quantizers:
            layer.codebook.embed.normal_()
        model.encode(wave)
        hook.remove()
        [residual_TD] = heard
        for layer in model.quantizer.quantizers:
            inner_TD = layer.project_in(residual_TD)
            layer.codebook.embed.copy_(inner_TD[torch.randint(400, (1024,))] * (0.5 + torch.rand(1024, 1)))
            residual_TD = residual_TD - layer.project_out(layer.codebook.embed)[layer.codebook.encode(inner_TD)]
    model.save_pretrained(folder)
    return folder
