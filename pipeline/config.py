"""The configuration of `valle-prep`: one section a stage, in the order in which they run."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from stages.base import Context, Stage
from stages.config import Config
from stages.encode import EncodeConfig
from stages.errors import ConfigError
from stages.g2p import G2pConfig
from stages.hdf5 import Hdf5Config
from stages.metadata import MetadataConfig
from stages.mix import MixConfig
from stages.similar import SimilarConfig
from stages.slice import SliceConfig
from stages.transcribe import TranscribeConfig


class PrepConfig(Config):
    """A field a stage: its name is the stage's module, command and folder; the order is the plan's."""

    transcribe: TranscribeConfig = TranscribeConfig()
    slice: SliceConfig = SliceConfig()
    g2p: G2pConfig = G2pConfig()
    encode: EncodeConfig = EncodeConfig()
    hdf5: Hdf5Config = Hdf5Config()
    metadata: MetadataConfig = MetadataConfig()
    similar: SimilarConfig = SimilarConfig()
    mix: MixConfig = MixConfig()


STAGES: tuple[str, ...] = tuple(PrepConfig.model_fields)
"""The stages' names, in order."""


def check_together(config: PrepConfig, names: Sequence[str]) -> None:
    """Checks what the sections of stages that are about to run ask of other sections.

    The model itself can't: what a dataset was last run with may be sections of different commands.

    Raises:
        ConfigError: naming both keys.
    """
    if "g2p" in names and config.g2p.unique and not config.slice.measure:
        raise ConfigError(
            "`g2p.unique` needs what is measured of the audio, but `slice.measure` is false."
            " Leave that at true, or `g2p.unique` at false."
        )


def build_stage(name: str, config: PrepConfig, context: Context) -> Stage[Any, Any, Any]:
    """Returns the stage of that name with its section of the configuration; nothing heavy is loaded yet."""
    return stage_class(name)(getattr(config, name), context)


def wanted_stages(config: PrepConfig) -> tuple[str, ...]:
    """Returns the names of the stages that a configuration asks for: all but optional ones that it doesn't mention."""
    return tuple(name for name in STAGES if build_stage(name, config, Context(Path())).wanted())


def stage_class(name: str) -> type[Stage[Any, Any, Any]]:
    """Returns the class of the stage of that name."""
    found: type[Stage[Any, Any, Any]] = import_module(f"stages.{name}").STAGE
    return found


def stage_from_json(name: str, section: str, context: Context) -> Stage[Any, Any, Any]:
    """Returns the stage of that name with its section given as JSON: as it travels to a worker."""
    return build_stage(name, PrepConfig.model_validate_json(f'{{"{name}": {section}}}'), context)
