"""The options of `valle export`, and what the command does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from model.option_groups import Options
from stages.errors import ArtefactError, MissingInputError, UsageError


@dataclass(frozen=True)
class ExportOptions(Options):
    """In which format, and where to upload it."""

    form: Annotated[
        Literal["safetensors", "hf", "gguf", "onnx"],
        typer.Option(
            "--format",
            help="safetensors: one file for valle; hf: for transformers; gguf: for llama.cpp; onnx: for onnxruntime.",
        ),
    ] = "safetensors"
    kind: Annotated[
        Literal["f32", "f16", "q8_0"], typer.Option("--type", help="With gguf: how the matrices are stored.")
    ] = "f16"
    push: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Upload it to this repository of the Hugging Face hub, with its card."),
    ] = None
    public: Annotated[
        bool, typer.Option("--public", help="With --push: let everyone see a repository that is made.")
    ] = False
    evaluation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What valle eval --json printed, for the card.")
    ] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --push: list the files, upload nothing.")] = False

    def write(self, model: Path, out: Path) -> dict[str, Any]:
        """Exports the model, and uploads it if asked to; returns what to show."""
        if self.push is None and (self.public or self.dry_run):
            raise UsageError("`--public` and `--dry-run` go with `--push OWNER/NAME`.")
        if self.kind != "f16" and self.form != "gguf":
            raise UsageError(f"`--type` is for `--format gguf`, but the format is `{self.form}`. Leave one out.")
        rows = self._rows()
        if self.push is not None:
            from model.checkpoints.publishing import publish

            told = publish(
                *(model, out, self.form, self.push),
                kind=self.kind,
                evaluation=rows,
                public=self.public,
                dry_run=self.dry_run,
            )
            return {"out": str(out), "format": self.form, **told}
        from model.checkpoints.export import export

        written = export(model, out, self.form, kind=self.kind, evaluation=rows)
        numbers = {"step": written.meta.step, "parameters": written.num_parameters}
        return {"out": str(out), "format": self.form, **numbers}

    def _rows(self) -> str:
        """Returns the rows of the evaluation as text."""
        if self.evaluation is None:
            return ""
        import json

        from model.evaluation.evaluate import table

        try:
            return table(json.loads(self.evaluation.read_text(encoding="utf-8")))
        except OSError as error:
            raise MissingInputError(f"`--evaluation` = `{self.evaluation}` can't be read: {error}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtefactError(
                f"`--evaluation` = `{self.evaluation}` must be what `valle eval --json` printed, but isn't: {error!r}."
            ) from error
