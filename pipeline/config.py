"""The configuration of `valle-prep`. To add a stage, add a field to `PrepConfig` named as the stage's module."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from stages.base import Context, Stage
from stages.clean import CleanConfig
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
    """One section per stage, in running order. A field's name is the stage's module, command and output folder."""

    clean: CleanConfig = CleanConfig()
    transcribe: TranscribeConfig = TranscribeConfig()
    slice: SliceConfig = SliceConfig()
    g2p: G2pConfig = G2pConfig()
    encode: EncodeConfig = EncodeConfig()
    hdf5: Hdf5Config = Hdf5Config()
    metadata: MetadataConfig = MetadataConfig()
    similar: SimilarConfig = SimilarConfig()
    mix: MixConfig = MixConfig()


STAGES: tuple[str, ...] = tuple(PrepConfig.model_fields)
"""Stage names, in running order."""


def check_together(config: PrepConfig, names: Sequence[str]) -> None:
    """Checks that the sections of the stages about to run agree with the other sections.

    Not a validator of `PrepConfig`: the sections stored in a dataset may come from different commands.

    Raises:
        ConfigError: if two keys contradict each other; names both.
    """
    if "g2p" in names and config.g2p.unique and not config.slice.measure:
        raise ConfigError(
            "`g2p.unique` needs the measures of the audio, but `slice.measure` is false."
            " Set `slice.measure` to true or `g2p.unique` to false."
        )
    bounds = ("max_misheard", "max_misheard_edge")
    given = [key for key in bounds if getattr(config.slice, key) is not None]
    if "slice" in names and given and not config.transcribe.verify:
        raise ConfigError(
            f"`slice.{given[0]}` compares each text with what a second model hears, but `transcribe.verify` names none."
            " Set it to a whisper model, or leave the bound out."
        )


def build_stage(name: str, config: PrepConfig, context: Context) -> Stage[Any, Any, Any]:
    """Builds a stage from its section of the configuration, without its heavy imports and weights."""
    return stage_class(name)(getattr(config, name), context)


def wanted_stages(config: PrepConfig) -> tuple[str, ...]:
    """Returns the names of the stages to run: all but the optional ones that the configuration doesn't ask for."""
    return tuple(name for name in STAGES if build_stage(name, config, Context(Path())).wanted())


def stage_class(name: str) -> type[Stage[Any, Any, Any]]:
    """Imports a stage's module and returns its class."""
    found: type[Stage[Any, Any, Any]] = import_module(f"stages.{name}").STAGE
    return found


def stage_from_json(name: str, section: str, context: Context) -> Stage[Any, Any, Any]:
    """Builds a stage on a worker from its section of the configuration as JSON."""
    return build_stage(name, PrepConfig.model_validate_json(f'{{"{name}": {section}}}'), context)
