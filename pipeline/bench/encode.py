"""Benchmarks `encode`: seconds of speech per second on one core, for each codec and its own library, and equal codes.

The networks have the published sizes and random weights, which are as fast as trained ones. EnCodec's codebooks are
fitted to its random encoder's output, without which all codes would be the same, and that encoder has no biases: with
them its output hardly depends on the sound, and float32 hardly tells its frames apart.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.bench.figures import Bench, Figure, StageBench, cpu_seconds
from stages.audio import files as audio
from stages.base import Context
from stages.codecs.table import load_codec
from stages.corpora.scan import scan
from stages.encode import Encode, EncodeConfig
from stages.ids import path_of
from stages.records import Encoded, Utterance

if TYPE_CHECKING:
    from torch import Tensor

_SHORTEST_S, _LONGEST_S = 2.0, 10.0
_ROUNDS = 2
_LEAST = {
    ("encodec", "encoding"): 2.0,
    ("encodec", "decoding"): 1.5,
    ("dac", "encoding"): 2.5,
    ("dac", "decoding"): 2.5,
}
"""What is asked for, as a multiple of the library's speed. Vocos decodes by its library, and the codecs of transformers
compute by it: 0.9 allows for noise."""
_EQUAL = 0.999
"""The least share of codes that are the library's."""


@dataclass(frozen=True, slots=True)
class _Library:
    """A codec called through its own library, one clip at a time."""

    encode: "Callable[[Tensor, int], Tensor]"
    """Turns a wave `[1, samples]` and its sample rate in Hz into codes `[1, K, T]`."""
    decode: "Callable[[Tensor], Tensor]"
    """Turns codes `[1, K, T]` into a wave."""


def encode(bench: Bench) -> Iterator[Figure]:
    """Measures EnCodec, Vocos, DAC and the embedded codec."""
    return _one_core(
        bench, (("encodec", _encodec, 30), ("vocos", _vocos, 30), ("dac", _dac, 6), ("embedded", None, 30))
    )


def codecs(bench: Bench) -> Iterator[Figure]:
    """Measures the codecs of transformers; X-Codec 2 has the sizes of NeuCodec."""
    return _one_core(bench, (("mimi", _mimi, 12), ("neucodec", _neucodec, 12), ("higgs", _higgs, 12)))


_Row = tuple[str, "Callable[[Path], tuple[Path, _Library]] | None", float]
"""A codec, what makes its weights and its library, and about how many seconds of speech it is measured on."""


def _one_core(bench: Bench, rows: Sequence[_Row]) -> Iterator[Figure]:
    """Measures encoding (with reading the file) and decoding, in seconds of speech per CPU second."""
    import torch
    from threadpoolctl import threadpool_limits

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            for name, make, audio_s in rows:
                yield from _measure(bench, name, make, _clips(bench.recordings, audio_s))
    finally:
        torch.set_num_threads(threads)


def _measure(
    bench: Bench, name: str, make: Callable[[Path], tuple[Path, _Library]] | None, items: Sequence[Utterance]
) -> Iterator[Figure]:
    import torch

    weights, library = make(bench.scratch) if make else (None, None)
    config: Any = {"codec": name, "weights": str(weights) if weights else None}
    stage = Encode(EncodeConfig(**config), Context(bench.recordings))
    stage.setup()
    codec = load_codec(name, weights)
    outcomes = [outcome for [outcome] in stage.process(items) if isinstance(outcome, Encoded)]
    codes = [torch.from_numpy(outcome.codes_KT.astype("int64")) for outcome in outcomes]
    total_s = sum(item.duration_s for item in items)

    def theirs_encode() -> None:
        assert library is not None
        for item in items:
            wave, rate = audio.read(bench.recordings / path_of(item.recording))
            library.encode(torch.tensor(wave)[None], rate)

    def theirs_decode() -> None:
        assert library is not None
        for codes_KT in codes:
            library.decode(codes_KT[None])

    for what, ours, theirs in (
        ("encoding", lambda: stage.process(items), theirs_encode),
        ("decoding", lambda: [codec.decode(codes_KT) for codes_KT in codes], theirs_decode),
    ):
        if (name, what) == ("vocos", "encoding"):
            continue  # Vocos encodes with EnCodec
        took = [(cpu_seconds(ours), cpu_seconds(theirs) if library else None) for _ in range(_ROUNDS)]
        speed = total_s / min(mine for mine, _ in took)
        baseline = [other for _, other in took if other is not None]
        beside = total_s / min(baseline) if baseline else None
        least = _LEAST.get((name, what), 0.9) if baseline else None
        yield Figure(f"{name}, {what}, one core", speed, "s/s", beside, "its library clip by clip", least=least)
    if stage.config.way:
        yield from _equal(name, stage.process(items), _exact(stage).process(items))


def _exact(stage: Encode) -> Encode:
    """Returns the stage with the library's own arithmetic, which gives the library's codes bit for bit."""
    exact = Encode(stage.config.model_copy(update={"exact": True}), stage.context)
    exact.setup()
    return exact


def _equal(name: str, ours: list[list[Any]], theirs: list[list[Any]]) -> Iterator[Figure]:
    """Compares the codes of the same cuts, and says how many differ by codebook."""
    import numpy as np

    pairs = [(mine.codes_KT, other.codes_KT) for [mine], [other] in zip(ours, theirs, strict=True)]
    differ_KT = np.concatenate([mine != other for mine, other in pairs], axis=1)
    used = len(np.unique(np.concatenate([other for _, other in pairs], axis=1)))
    yield Figure(f"{name}, codes equal to its library's, of {used} used", 1 - differ_KT.mean(), least=_EQUAL)
    by_codebook = " ".join(str(count) for count in differ_KT.sum(axis=1))
    yield Figure(f"{name}, codes that differ, by codebook {by_codebook}", differ_KT.sum(), f"of {differ_KT.size}")


def _clips(folder: Path, audio_s: float) -> list[Utterance]:
    """Returns about `audio_s` seconds of recordings of 2 to 10 s as utterances, drawn from the folder by hash."""
    items, total_s = [], 0.0
    recordings = sorted(scan(folder).recordings, key=lambda recording: (_hash_of(recording.id), recording.id))
    for recording in recordings:
        info = audio.probe(folder / path_of(recording.id))
        seconds = info.samples / info.sample_rate
        if _SHORTEST_S <= seconds <= _LONGEST_S and total_s + seconds <= audio_s:
            who = recording.group, recording.speaker, "en"
            items.append(Utterance(recording.id, recording.id, *who, 0, info.samples, info.sample_rate, ""))
            total_s += seconds
        if total_s > audio_s - _SHORTEST_S:
            break
    return items


def _hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def _seeded() -> Iterator[None]:
    """Seeds torch and hides the libraries' warnings."""
    import warnings

    import torch

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        yield


def _encodec(folder: Path) -> tuple[Path, _Library]:
    import torch

    with _seeded():
        from encodec import EncodecModel
        from encodec.utils import convert_audio

        model = EncodecModel.encodec_model_24khz(pretrained=False).eval()
        _fit_codebooks(model)
    model.set_target_bandwidth(6.0)
    path = folder / "encodec.th"
    torch.save(model.state_dict(), path)

    def encode(wave_1L: "Tensor", rate: int) -> "Tensor":
        with torch.no_grad():
            [(codes_1KT, _)] = model.encode(convert_audio(wave_1L, rate, model.sample_rate, model.channels)[None])
        return codes_1KT  # type: ignore[no-any-return]

    def decode(codes_1KT: "Tensor") -> "Tensor":
        with torch.no_grad():
            return model.decode([(codes_1KT, None)])  # type: ignore[no-any-return]

    return path, _Library(encode, decode)


def _fit_codebooks(model: Any) -> None:
    """Takes the encoder's biases away, and draws the codebooks from its output for noise of changing loudness."""
    import torch

    with torch.no_grad():
        for name, parameter in model.encoder.named_parameters():
            if "bias" in name:
                parameter.zero_()
        loudness = 0.5 * torch.rand(1, 1, 1024).repeat_interleave(320, dim=2)
        residual_TD = model.encoder(loudness * torch.randn(1, 1, 1024 * 320))[0].T
        for layer in model.quantizer.vq.layers:
            codebook = layer._codebook
            codebook.embed.copy_(residual_TD[torch.randperm(1024)] * torch.rand(1024, 1))
            codebook.inited.fill_(1)
            residual_TD = residual_TD - codebook(residual_TD[None])[0][0]


def _vocos(folder: Path) -> tuple[Path, _Library]:
    """Writes a model folder in the hub's format, of the published size."""
    import torch
    import yaml

    path, library = _encodec(folder)
    features = {"encodec_model": "encodec_24khz", "bandwidths": [1.5, 3.0, 6.0, 12.0]}
    backbone = {"input_channels": 128, "dim": 384, "intermediate_dim": 1152, "num_layers": 8}
    backbone["adanorm_num_embeddings"] = 4
    head = {"dim": 384, "n_fft": 1280, "hop_length": 320, "padding": "same"}
    sections = {
        "feature_extractor": ("vocos.feature_extractors.EncodecFeatures", features),
        "backbone": ("vocos.models.VocosBackbone", backbone),
        "head": ("vocos.heads.ISTFTHead", head),
    }
    config = {name: {"class_path": kind, "init_args": sizes} for name, (kind, sizes) in sections.items()}
    with _seeded():
        from vocos.heads import ISTFTHead
        from vocos.models import VocosBackbone

        parts: dict[str, Any] = {"backbone": VocosBackbone(**backbone).eval(), "head": ISTFTHead(**head).eval()}
    codebooks_VD = torch.randn(16 * 1024, 128)
    weights = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    weights["feature_extractor.codebook_weights"] = codebooks_VD
    target = folder / "vocos"
    target.mkdir()
    (target / "config.yaml").write_text(yaml.safe_dump(config))
    torch.save(weights, target / "pytorch_model.bin")
    path.rename(target / "encodec.th")

    def decode(codes_1KT: "Tensor") -> "Tensor":
        # As `Vocos.codes_to_features` and `Vocos.decode` do; the class itself would download EnCodec's weights.
        codes_KT = codes_1KT[0]
        first_K1 = torch.arange(0, 1024 * len(codes_KT), 1024)[:, None]
        with torch.no_grad():
            features_1DT = torch.nn.functional.embedding(codes_KT + first_K1, codebooks_VD).sum(dim=0).T[None]
            hidden_1TD = parts["backbone"](features_1DT, bandwidth_id=torch.tensor([2]))
            return parts["head"](hidden_1TD)  # type: ignore[no-any-return]

    return target, _Library(library.encode, decode)


def _dac(folder: Path) -> tuple[Path, _Library]:
    import torch

    with _seeded():
        from audiotools import AudioSignal
        from dac import DAC

        model = DAC().eval()
    path = folder / "dac.pth"
    model.save(path, package=False)

    def encode(wave_1L: "Tensor", rate: int) -> "Tensor":
        signal = AudioSignal(wave_1L[None], rate).resample(model.sample_rate)
        with torch.no_grad():
            _, codes_1KT, *_ = model.encode(model.preprocess(signal.audio_data, model.sample_rate))
        return codes_1KT  # type: ignore[no-any-return]

    def decode(codes_1KT: "Tensor") -> "Tensor":
        with torch.no_grad():
            return model.decode(model.quantizer.from_codes(codes_1KT)[0])  # type: ignore[no-any-return]

    return path, _Library(encode, decode)


def _mimi(folder: Path) -> tuple[Path, _Library]:
    import torch

    with _seeded():
        from transformers import MimiConfig, MimiModel

        model = MimiModel(MimiConfig()).eval()
        for part in (
            model.quantizer.semantic_residual_vector_quantizer,
            model.quantizer.acoustic_residual_vector_quantizer,
        ):
            for layer in part.layers:
                layer.codebook.embed_sum.normal_()
    model.save_pretrained(folder / "mimi")

    def encode(wave_1L: "Tensor", rate: int) -> "Tensor":
        wave_L = torch.from_numpy(audio.resample(wave_1L[0].numpy(), rate, 24_000))
        with torch.no_grad():
            return model.encode(wave_L[None, None], num_quantizers=8).audio_codes  # type: ignore[no-any-return]

    def decode(codes_1KT: "Tensor") -> "Tensor":
        with torch.no_grad():
            return model.decode(codes_1KT).audio_values  # type: ignore[no-any-return]

    return folder / "mimi", _Library(encode, decode)


def _neucodec(folder: Path) -> tuple[Path, _Library]:
    """Writes NeuCodec with the published sizes, which X-Codec 2 has, too: some GB."""
    import torch

    with _seeded():
        from transformers import NeuCodecConfig, NeuCodecFeatureExtractor, NeuCodecModel

        model = NeuCodecModel(NeuCodecConfig()).eval()
    model.save_pretrained(folder / "neucodec")
    extractor = NeuCodecFeatureExtractor()

    def encode(wave_1L: "Tensor", rate: int) -> "Tensor":
        wave_L = torch.from_numpy(audio.resample(wave_1L[0].numpy(), rate, 16_000))
        inputs = extractor(audio=wave_L, sampling_rate=16_000, return_tensors="pt")
        with torch.no_grad():
            return model.encode(**inputs).audio_codes  # type: ignore[no-any-return]

    def decode(codes_1KT: "Tensor") -> "Tensor":
        with torch.no_grad():
            return model.decode(audio_codes=codes_1KT).audio_values  # type: ignore[no-any-return]

    return folder / "neucodec", _Library(encode, decode)


def _higgs(folder: Path) -> tuple[Path, _Library]:
    import torch

    acoustic = {"model_type": "dac", "downsampling_ratios": [8, 5, 4, 2, 3], "upsampling_ratios": [8, 5, 4, 2, 3]}
    with _seeded():
        from transformers import DacFeatureExtractor, HiggsAudioV2TokenizerConfig, HiggsAudioV2TokenizerModel

        config = HiggsAudioV2TokenizerConfig(target_bandwidths=[0.5, 1, 1.5, 2], acoustic_model_config=acoustic)
        model = HiggsAudioV2TokenizerModel(config).eval()
        for layer in model.quantizer.quantizers:
            layer.codebook.embed.normal_()
    model.save_pretrained(folder / "higgs")
    extractor = DacFeatureExtractor(sampling_rate=24_000, hop_length=960)

    def encode(wave_1L: "Tensor", rate: int) -> "Tensor":
        wave_L = audio.resample(wave_1L[0].numpy(), rate, 24_000)
        inputs = extractor(wave_L, sampling_rate=24_000, return_tensors="pt")
        with torch.no_grad():
            return model.encode(inputs["input_values"]).audio_codes  # type: ignore[no-any-return]

    def decode(codes_1KT: "Tensor") -> "Tensor":
        with torch.no_grad():
            return model.decode(codes_1KT).audio_values  # type: ignore[no-any-return]

    return folder / "higgs", _Library(encode, decode)


ENCODE = StageBench("encode", encode, 40, needs_speech=True)

CODECS = StageBench("codecs", codecs, 41, needs_speech=True)
