"""DAC's network against the library, at lengths that padding and strips make awkward."""

import pytest
import torch

from stages.codecs.network import _folded
from tests.stages.kernels.near import far, seeded


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
