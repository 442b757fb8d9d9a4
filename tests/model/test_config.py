from pathlib import Path

import pytest
import torch

from model.checkpoints.checkpoint import build
from model.config import TrainConfig
from model.sequences.tokenizer import Tokenizer
from stages.config import load_config
from stages.errors import ConfigError
from stages.records import CodecIdentity

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
PARAMETERS = {"base": 220e6, "small": 30e6, "demo": 8e6, "peer52m": 52e6}


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml") if path.stem in PARAMETERS))
def test_every_model_config_loads_and_has_its_size(name: str) -> None:
    config = load_config(TrainConfig, CONFIGS / f"{name}.yaml")
    with torch.device("meta"):
        network = build(config, Tokenizer.default(8), CodecIdentity("encodec", 24_000, 75.0, 8, 1024, ""))
    assert network.num_parameters() == pytest.approx(PARAMETERS[name], rel=0.1)


def test_the_sizes_above_are_of_files() -> None:
    assert {f"{name}.yaml" for name in PARAMETERS} <= {path.name for path in CONFIGS.iterdir()}


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ("model.widht=64", "did you mean `model.width`"),
        ("model.heads=7", "must be an even multiple of `heads`"),
        ("model.kv_heads=3", "must be a multiple of `kv_heads`"),
        ("model={arch: retnet, heads: 4, kv_heads: 2}", "must not be set if `arch` is `retnet`"),
        ("model={arch: retnet, window: 75}", "must not be set if `arch` is `retnet`, but is 75"),
        ("model.window=0", "greater than or equal to 1"),
        ("model.arch=gru", "'llama', 'retnet' or 'mamba'"),
        ("model={arch: mamba, window: 75}", "must not be set if `arch` is `mamba`, but is 75"),
        ("model.state=64", "`state` must not be set if `arch` is `llama`, but is 64"),
        ("model.experts_per_token=2", "`experts_per_token` (2) needs `experts` above 1"),
        ("model={experts: 4, experts_per_token: 5}", "`experts_per_token` (5) must be at most `experts` (4)"),
        ("data.min_s=20", "must be greater than `min_s`"),
        ("model.text_spacing=-1", "greater than or equal to 0"),
        ("model={text_spacing: aligned, group: 2}", "`text_spacing` must not be `aligned` with `group` 2"),
        ("align={weight: 0.1, layer: 12}", "must be below the number of layers (12), but is 12"),
        ("optimizer.lr=fast", "must be a valid number"),
        ("trainer.max_steps=0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_named(item: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"`{item[:5].rstrip('.=')}") as raised:
        load_config(TrainConfig, CONFIGS / "base.yaml", [item])
    assert told in str(raised.value)


def test_differences_leave_out_what_does_not_change_the_result() -> None:
    one = load_config(TrainConfig, CONFIGS / "demo.yaml")
    two = load_config(TrainConfig, CONFIGS / "demo.yaml", ["trainer.out=x", "data.store=y", "optimizer.lr=1e-3"])
    assert one.differences(two) == ["`optimizer.lr`: 0.005 -> 0.001"]
