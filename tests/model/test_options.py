"""The options that commands of `valle` share come from the tables of what they choose among."""

import sys
from typing import Any, get_args

import pytest
import typer
from typer.main import get_command

import model.decoding.samplers.chain
import model.options
from model import cli
from model.bench.table import BENCHES, What
from model.checkpoints import export
from model.decoding.options import FIRST_MODES, Decoding, FirstMode, Unmasking
from model.decoding.samplers.chain import OPTIONS, SAMPLERS, Sampling
from model.decoding.samplers.sampler import Option, Sampler
from model.option_groups import with_options
from model.options import DecodingOptions, VoiceOptions
from model.sequences.tasks import TRANSFORMS, Transform

COMMANDS = get_command(cli.app).commands  # type: ignore[attr-defined]
DECODING = {
    **{"mode": "ar", "steps": None, "guidance": None},
    **{option.name: option.default for option in OPTIONS},
}


def options(command: str) -> dict[str, Any]:
    return {one.name: one for one in COMMANDS[command].params}


@pytest.mark.parametrize("command", ["synth", "transform", "eval"])
def test_all_that_decode_take_the_same_options(command: str) -> None:
    found = {name: one for name, one in options(command).items() if name in DECODING}
    assert {name: one.default for name, one in found.items()} == DECODING
    for option in OPTIONS:
        assert f"--{option.name.replace('_', '-')}" in found[option.name].opts
        assert found[option.name].help == option.help
        assert isinstance(option.default, option.kind)
    assert list(found["mode"].type.choices) == list(FIRST_MODES)
    assert found["mode"].help == (
        "First codebook: ar, frame by frame; nar-len, the length first, then all at once; all, the length first, then"
        " all codebooks on one canvas."
    )


def test_choices_are_the_rows_of_the_tables() -> None:
    assert list(get_args(FirstMode)) == list(FIRST_MODES)
    assert list(get_args(Transform)) == list(TRANSFORMS)
    assert list(options("transform")["task"].type.choices) == list(TRANSFORMS)
    assert all(f"{name}: {spec.help}" in options("transform")["task"].help for name, spec in TRANSFORMS.items())
    assert list(get_args(What)) == list(BENCHES)
    assert list(options("bench")["what"].type.choices) == list(BENCHES)
    assert all(f"{name}: {row.help}" in options("bench")["what"].help for name, row in BENCHES.items())
    assert list(options("export")["form"].type.choices) == list(get_args(export.Format))


def test_a_new_sampler_is_an_option_without_another_line(monkeypatch: pytest.MonkeyPatch) -> None:
    heat = Option("extra_heat", float, 0.0, "Warms.", rule="0 or more", allows=lambda value: value >= 0)
    rows = (*SAMPLERS, Sampler("heat", 90, (heat,), lambda logits_BV, value: logits_BV + value))
    for module in (model.decoding.samplers.chain, model.options):
        monkeypatch.setattr(module, "OPTIONS", (*OPTIONS, heat))
    monkeypatch.setattr(model.decoding.samplers.chain, "SAMPLERS", rows)
    app, made = typer.Typer(), []

    @app.command()
    @with_options
    def say(text: str, *, voice: VoiceOptions, how: DecodingOptions) -> None:
        made.append((text, voice, how.decoding))

    monkeypatch.setattr(sys, "argv", ["say", "a", "--model", "m", "--extra-heat", "2", "--top-k", "3", "--steps", "4"])
    with pytest.raises(SystemExit) as end:
        app()
    assert end.value.code == 0
    drawn = Sampling(top_k=3, extra_heat=2.0)
    assert made[0][2] == Decoding("ar", drawn, Unmasking(4, sampling=drawn), Sampling(0.0))
    assert [sampler.options[0].name for sampler, _ in drawn.on] == ["top_k", "extra_heat"]
    assert str(drawn) == "temperature 1, top-k 3, extra-heat 2"
    assert (made[0][0], str(made[0][1].model), made[0][1].device) == ("a", "m", "auto")
    with pytest.raises(TypeError, match="no sampler has an option `cold`"):
        Sampling(cold=1.0)


def test_commands_have_few_parameters_of_their_own() -> None:
    import ast
    import inspect

    tree = ast.parse(inspect.getsource(cli))
    counts = {
        node.name: len(node.args.args) + len(node.args.kwonlyargs)
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
    }
    assert max(counts.values()) <= 8, counts
