"""Codecs that are models of transformers: finds their folders, reads their configurations and loads their weights."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.codecs.weights import hub_folder, reason_of
from stages.errors import WeightsError

if TYPE_CHECKING:
    import torch

FILES = "config.json", "model.safetensors"
"""What `save_pretrained` writes, and what the hub has."""


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A codec's model in transformers."""

    codec: str
    """The name of the codec's row."""
    title: str
    """Its name as people write it."""
    repository: str
    """Of the published weights, on the Hugging Face hub."""
    model_type: str
    """What `config.json` calls it."""
    classes: tuple[str, str]
    """The names of its configuration and of its model."""
    what: str
    """What the configuration must describe, for the message."""
    check: Callable[[Any], str]
    """Returns what is wrong with a configuration; "" if nothing is."""

    def find(self, weights: str | Path | None, *, download: bool = True) -> Path:
        """Returns the folder of the weights, as `save_pretrained` writes it.

        Args:
            weights: As in `load_codec`.
            download: Whether to download files that aren't on this machine.

        Raises:
            WeightsError: if a file is missing and can't be downloaded.
        """
        return hub_folder(self.codec, self.title, weights, self.repository, FILES, download=download)

    def files(self, weights: str | Path | None, _: int | None) -> list[Path]:
        """As `CodecRow.files`."""
        folder = self.find(weights, download=False)
        return [folder / name for name in FILES]

    def config(self, folder: Path) -> Any:
        """Reads a folder's configuration without loading the weights.

        Raises:
            WeightsError: if it describes another model, or one that `check` refuses.
        """
        from huggingface_hub import errors

        kind = self._class(self.classes[0])
        path = folder / FILES[0]
        # transformers 5 checks the types of a configuration with an error of the hub's, which older hubs don't have
        mistyped = getattr(errors, "StrictDataclassError", TypeError)
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(values, dict) or values.get("model_type") != self.model_type:
                raise ValueError(f"its `model_type` isn't `{self.model_type}`")  # noqa: TRY301
            config = kind(**values)
            if problem := self.check(config):
                raise ValueError(problem)  # noqa: TRY301
        except (OSError, ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, mistyped) as error:
            raise WeightsError(
                f"`{path}` must describe {self.what}, but doesn't ({reason_of(error)})."
                f" Use the file of {self.repository} (Hugging Face hub)."
            ) from error
        return config

    def load(self, folder: Path) -> "torch.nn.Module":
        """Loads the model in float32. A missing tensor is an error, which transformers would draw at random.

        Raises:
            WeightsError: if the files hold anything else.
        """
        from safetensors import SafetensorError
        from transformers.utils import logging

        logging.disable_progress_bar()
        path = folder / FILES[1]
        config = self.config(folder)
        verbosity = logging.get_verbosity()
        logging.set_verbosity_error()  # its table of tensors that don't fit: the error below says it in a line
        try:
            model, found = self._class(self.classes[1]).from_pretrained(
                folder, config=config, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
        except (OSError, RuntimeError, ValueError, KeyError, SafetensorError) as error:
            raise WeightsError(
                f"`{path}` must fit the {self.title} of `config.json` beside it, but doesn't ({reason_of(error)})."
                f" Download the files of {self.repository} again."
            ) from error
        finally:
            logging.set_verbosity(verbosity)
        wrong = sorted(found["missing_keys"]) or sorted(map(str, found["mismatched_keys"]))
        if wrong:
            raise WeightsError(
                f"`{path}` must fit the {self.title} of `config.json` beside it, but {len(wrong)} tensors are missing"
                f" or of another size, such as {wrong[0]}. Download the files of {self.repository} again."
            )
        whole: torch.nn.Module = model.float()
        return whole

    def _class(self, name: str) -> Any:
        """Returns a class of transformers. Raises `WeightsError` if the installed one is too old for it."""
        import transformers

        found = getattr(transformers, name, None)
        if found is None:
            raise WeightsError(
                f"`{self.codec}` needs a transformers with `{name}`, but {transformers.__version__} hasn't got it."
                " Install a newer one (`pip install -U transformers`)."
            )
        return found
