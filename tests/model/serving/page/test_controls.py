"""From the controls' values to the settings of decoding; every option of the samplers is a control."""

import dataclasses
from typing import Any

import pytest

from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import OPTIONS, Sampling
from stages.errors import UsageError

pytestmark = pytest.mark.usefixtures("gradio")


def controls(default: Decoding = Decoding(), modes: Any = ("ar", "nar-len", "all")) -> Any:  # noqa: B008
    import gradio as gr

    from model.serving.page.controls import Controls

    with gr.Blocks(analytics_enabled=False):
        return Controls(default, list(modes), can_guide=True)


def values(made: Any, **changed: Any) -> dict[str, Any]:
    return {**{name: part.value for name, part in made.components.items()}, **changed}


def test_every_option_of_the_samplers_is_a_control() -> None:
    made = controls()
    for row in OPTIONS:
        assert made.components[row.name].value == row.default
        assert made.components[row.name].info
        other = {row.name: row.default + 1 if row.kind is int else 0.5}
        if row.allows(other[row.name]):
            try:
                expected = Sampling(**other)
            except UsageError:
                continue  # it needs another option
            assert made.decoding(values(made, **other)).ar == expected


def test_every_setting_of_decoding_is_a_control() -> None:
    whole = {"mode", "ar", "nar", "unmasking", "ahead"}  # heads ahead give the same speech, sooner
    assert {field.name for field in dataclasses.fields(Decoding)} - whole <= controls().components.keys()


def test_what_is_shown_at_first_is_the_default() -> None:
    for default in (
        Decoding(),
        Decoding("ar", Sampling(0.7, top_k=9), nar=Sampling(0.3), guidance=2.0, max_ar_context=99),
        Decoding(beam_width=4),
        Decoding(layer_skip=True, layer_skip_exit_layer=1, layer_skip_entropy_threshold=0.5),
        Decoding("nar-len", unmasking=Unmasking(7, sampling=Sampling(0.5)), guidance=3.0),
        Decoding("all", unmasking=Unmasking(7, sampling=Sampling(0.5)), nar=Sampling(0.5)),
        Decoding("all"),
    ):
        made = controls(default)
        assert made.decoding(values(made)) == default
        emptied = {name: None for name in made.components if name not in {"mode", "refine_on_stop"}}
        assert made.decoding(values(made, **emptied)) == default
        assert made.filled(values(made, **emptied)) == values(made)


def test_what_isn_t_for_the_mode_doesn_t_count() -> None:
    made = controls()
    changed = {"repetition_penalty": 1.5, "beam_width": 3, "refine_on_stop": True, "max_ar_context": 9, "top_k": 5}
    for mode in ("nar-len", "all"):
        found = made.decoding(values(made, mode=mode, steps=4, **changed))
        assert found == Decoding(mode, unmasking=Unmasking(4, sampling=Sampling(top_k=5)))
    assert made.decoding(values(made, steps=4)) == Decoding()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"top_k": 1.5}, "`top_k` must be a whole number, but is 1.5"),
        ({"top_k": -1}, "`top_k` must be 0"),
        ({"mode": "all", "steps": 500}, "`steps` must be at most 200"),
        ({"mode": "nar-len", "steps": 0}, "`steps` must be at least 1"),
        ({"nar_temperature": -1}, "`nar_temperature` must be 0 or more"),
        ({"guidance": "0.5"}, "`guidance` must be 1"),
        ({"beam_width": 2, "temperature": 0.5}, "can't go with `beam_width`"),
        ({"max_ar_context": "0"}, "`max_ar_context` must be at least 1"),
        ({"max_ar_context": "1.5"}, "`max_ar_context` must be a whole number"),
        ({"max_ar_context": "inf"}, "`max_ar_context` must be a whole number"),
        ({"guidance": "much"}, "`guidance` must be a number, but is `much`"),
        ({"guidance": "nan"}, "`guidance` must be 1"),
    ],
)
def test_what_makes_no_sense_is_told(changed: dict[str, Any], told: str) -> None:
    made = controls()
    with pytest.raises(UsageError) as raised:
        made.decoding(values(made, **changed))
    assert told in str(raised.value)


def test_a_mode_that_the_model_lacks_isn_t_offered() -> None:
    made = controls(Decoding("ar"), ["nar-len"])
    assert made.mode.value == "nar-len"
    assert [mode for _, mode in made.mode.choices] == ["nar-len"]
