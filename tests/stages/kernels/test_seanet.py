"""EnCodec's network against the library, at lengths that padding and strips make awkward."""

import numpy as np
import pytest
import torch

from stages.codecs.network import _folded
from tests.stages.kernels.near import far, seeded


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
