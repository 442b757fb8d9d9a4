"""Settings of decoding: each one counts, and those without sense are refused."""

from typing import Any

import numpy as np
import pytest

from model.decoding.codes import generate
from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import OPTIONS, Sampling
from stages.errors import UsageError
from tests.model.decoding.test_beam import CONDITIONS, TOKENIZER, tiny

DRY = {"dry_multiplier": 3.0, "dry_allowed_length": 1}
CHANGES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "repetition_penalty": ({}, {"repetition_penalty": 3.0}),
    "repetition_penalty_decay": ({"repetition_penalty": 3.0}, {"repetition_penalty_decay": 0.5}),
    "dry_multiplier": ({}, DRY),
    "dry_base": (DRY, {"dry_base": 9.0}),
    "dry_allowed_length": (DRY, {"dry_allowed_length": 2}),
    "length_penalty": ({}, {"length_penalty": -2.0}),
    "temperature": ({}, {"temperature": 0.5}),
    "min_temperature": ({}, {"min_temperature": 0.2}),
    "top_n_sigma": ({}, {"top_n_sigma": 1.0}),
    "top_k": ({}, {"top_k": 2}),
    "top_p": ({}, {"top_p": 0.3}),
    "min_p": ({}, {"min_p": 0.8}),
    "ras_window": ({}, {"ras_window": 9, "ras_threshold": 0.0}),
    "ras_threshold": ({"ras_window": 4}, {"ras_threshold": 0.5}),
    "mirostat_tau": ({}, {"mirostat_tau": 1.0}),
    "mirostat_eta": ({"mirostat_tau": 1.0}, {"mirostat_eta": 0.9}),
}
NET = tiny(scale=5)  # of three codes, so that all comes again


def test_every_option_is_here() -> None:
    assert CHANGES.keys() == {option.name for option in OPTIONS}


@pytest.mark.parametrize("name", CHANGES)
def test_each_option_counts(name: str) -> None:
    def spoken(values: dict[str, float]) -> list[list[int]]:
        decoding = Decoding(ar=Sampling(**values))
        found = generate(NET, TOKENIZER, CONDITIONS, min_frames=40, max_frames=90, decoding=decoding, seeds=[1, 2, 3])
        return [codes_KT[0].tolist() for codes_KT in found]

    before, change = CHANGES[name]
    assert spoken(before) == spoken(before)
    assert spoken(before) != spoken({**before, **change})


def test_the_other_codebooks_have_their_own_temperature() -> None:
    plain, warm = (
        generate(NET, TOKENIZER, CONDITIONS, max_frames=9, min_frames=9, decoding=Decoding(nar=nar), seeds=[1, 2, 3])
        for nar in (Sampling(0.0), Sampling(1.0))
    )
    for one, other in zip(plain, warm, strict=True):
        np.testing.assert_array_equal(one[0], other[0])
        assert (one[1:] != other[1:]).any()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"mode": "nar-len", "unmasking": Unmasking(sampling=Sampling(mirostat_tau=3))}, "`mirostat_tau` must be left"),
        ({"mode": "all", "unmasking": Unmasking(sampling=Sampling(mirostat_tau=3))}, "`mirostat_tau` must be left"),
        ({"mode": "nar-len", "unmasking": Unmasking(sampling=Sampling(ras_window=3))}, "`ras_window` must be left out"),
        ({"mode": "nar-len", "unmasking": Unmasking(sampling=Sampling(length_penalty=3))}, "`length_penalty` must be"),
        ({"mode": "nar-len", "beam_width": 2}, "`beam_width` must be left out in the mode nar-len"),
        ({"mode": "all", "beam_width": 2}, "`beam_width` must be left out in the mode all"),
        ({"mode": "nar-len", "refine_on_stop": True}, "`refine_on_stop` must be left out in the mode nar-len"),
        ({"mode": "all", "refine_on_stop": True}, "`refine_on_stop` must be left out in the mode all"),
        ({"mode": "nar-len", "max_ar_context": 9}, "`max_ar_context` must be left out in the mode nar-len"),
        ({"mode": "nar-len", "ahead": False}, "`ahead` must be left out in the mode nar-len"),
        ({"mode": "all", "ahead": False}, "`ahead` must be left out in the mode all"),
        ({"nar": Sampling(0.0, repetition_penalty=2)}, "`repetition_penalty` must be left out for the other codebooks"),
        ({"beam_width": 2, "ar": Sampling(top_k=5)}, "`top_k` can't go with `beam_width`"),
        ({"beam_width": 2, "ar": Sampling(0.5)}, "`temperature` can't go with `beam_width`"),
        ({"beam_width": 2, "ar": Sampling(ras_window=5)}, "`ras_window` can't go with `beam_width`"),
        ({"beam_width": 2, "refine_on_stop": True}, "`refine_on_stop` can't go with `beam_width`"),
        ({"beam_width": 2, "ahead": True}, "`ahead` must be left out with `beam_width`"),
        ({"beam_width": 0}, "`beam_width` must be 1"),
        ({"max_ar_context": 0}, "`max_ar_context` must be at least 1"),
        ({"mode": "nar-len", "layer_skip": True}, "`layer_skip` must be left out in the mode nar-len"),
        ({"mode": "all", "layer_skip": True}, "`layer_skip` must be left out in the mode all"),
        ({"beam_width": 2, "layer_skip": True}, "`layer_skip` can't go with `beam_width`"),
        ({"max_ar_context": 9, "layer_skip": True}, "`layer_skip` can't go with `max_ar_context`"),
        ({"ahead": True, "layer_skip": True}, "`layer_skip` can't go with `ahead`"),
        ({"layer_skip": True, "layer_skip_exit_layer": 0}, "`layer_skip_exit_layer` must be at least 1, but is 0"),
        ({"layer_skip": True, "layer_skip_entropy_threshold": -1}, "`layer_skip_entropy_threshold` must be 0 or more"),
        (
            {"layer_skip": True, "layer_skip_varentropy_threshold": float("nan")},
            "varentropy_threshold` must be 0 or more",
        ),
        ({"layer_skip_exit_layer": 4}, "`layer_skip_exit_layer` has no effect without `layer_skip`"),
        ({"layer_skip_entropy_threshold": 1.0}, "`layer_skip_entropy_threshold` has no effect without `layer_skip`"),
        ({"layer_skip_varentropy_threshold": 1.0}, "`layer_skip_varentropy_threshold` has no effect without"),
    ],
    ids=str,
)
def test_settings_without_sense_are_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Decoding(**values)


def test_settings_of_the_other_mode_dont_matter() -> None:
    looking = Sampling(repetition_penalty=2)
    Decoding("ar", looking, Unmasking(sampling=looking), beam_width=2)
    Decoding("nar-len", ar=looking)


def test_settings_in_a_line() -> None:
    every = Decoding(ar=Sampling(0.8, top_k=5, min_p=0.1), refine_on_stop=True, max_ar_context=75)
    assert str(every) == "ar, refined on stop, context of 75 frames, temperature 0.8, top-k 5, min-p 0.1"
    early = Decoding(layer_skip=True, layer_skip_exit_layer=3, layer_skip_entropy_threshold=0.5)
    assert str(early) == "ar, early exit from layer 3 on (entropy 0.5, varentropy 0.1), temperature 1"
    assert str(Decoding(beam_width=4)) == "ar, beam of 4, temperature 1"
