"""The codecs' networks against their libraries, at lengths that padding and strips make awkward."""

import numpy as np
import pytest
import torch

from stages.codecs.network import _folded
from stages.kernels import conv


@pytest.fixture(params=["short strips", "strips"])
def strips(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "short strips":
        monkeypatch.setattr(conv, "_STRIP_FLOATS", 100)
        monkeypatch.setattr(conv, "_FEWEST_TILES", 30)


def far(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Returns the relative error."""
    assert found.shape == expected.shape
    return float((found - expected).norm() / expected.norm())


def seeded(samples: int) -> torch.Tensor:
    return 0.3 * torch.randn(samples, generator=torch.Generator().manual_seed(samples))


@pytest.fixture(scope="module")
def dac() -> torch.nn.Module:
    """A small DAC; one stride is odd, and its snakes differ from channel to channel."""
    from dac import DAC

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        sizes = {"encoder_dim": 4, "encoder_rates": [2, 4, 5, 8], "decoder_dim": 48, "decoder_rates": [8, 5, 4, 2]}
        model = DAC(**sizes, n_codebooks=2, codebook_size=64).eval()
        for name, parameter in model.named_parameters():
            if name.endswith("alpha"):
                parameter.data.uniform_(0.3, 3)
            elif name.endswith("bias"):
                parameter.data.normal_(0, 0.1)
    return _folded(model)


@pytest.mark.usefixtures("strips")
@pytest.mark.parametrize("frames", [1, 2, 13])
def test_dac_is_the_library_up_to_rounding(dac: torch.nn.Module, frames: int) -> None:
    from stages.kernels.dac import DacDecoder, DacEncoder

    wave_L = seeded(frames * 320)
    with torch.no_grad():
        latent = dac.encoder(wave_L[None, None])
        assert far(DacEncoder(dac.encoder)(wave_L), latent) < 2e-5
        assert far(DacDecoder(dac.decoder)(latent), dac.decoder(latent)[0, 0]) < 5e-5


@pytest.fixture(scope="module")
def encodec() -> torch.nn.Module:
    from encodec import EncodecModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = EncodecModel.encodec_model_24khz(pretrained=False).eval()
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.data.normal_(0, 0.1)
    return _folded(model)


@pytest.mark.usefixtures("strips")
def test_encodec_is_the_library_up_to_rounding(encodec: torch.nn.Module) -> None:
    from stages.kernels.seanet import EncodecDecoder, EncodecEncoder

    encoder, decoder = EncodecEncoder(encodec.encoder), EncodecDecoder(encodec.decoder)
    waves = [seeded(samples) for samples in (1, 2, 3, 9, 319, 320, 321, 647, 5_001)]
    with torch.no_grad():
        for wave_L, latent_TD in zip(waves, encoder(waves), strict=True):
            [alone_TD] = encoder([wave_L])
            np.testing.assert_array_equal(latent_TD, alone_TD, "a batch gives what its singles give")
            expected = encodec.encoder(wave_L[None, None])
            assert far(torch.from_numpy(latent_TD).T, expected[0]) < 1e-5
            wave = decoder(expected[0].T.contiguous().numpy())
            assert far(wave, encodec.decoder(expected)[0, 0]) < 1e-5


def test_codewords_are_the_nearest() -> None:
    from stages.kernels.seanet import Codebooks

    drawn = torch.Generator().manual_seed(0)
    vectors_KVD = torch.randn(3, 50, 8, generator=drawn)
    latent_TD = torch.randn(40, 8, generator=drawn)
    codes_KT = Codebooks(vectors_KVD)(latent_TD.numpy())
    residual_TD = latent_TD.clone()
    for codes_T, vectors_VD in zip(codes_KT, vectors_KVD, strict=True):
        assert torch.equal(codes_T, torch.cdist(residual_TD, vectors_VD).argmin(dim=1))
        residual_TD -= vectors_VD[codes_T]
    assert codes_KT.dtype == torch.int64
