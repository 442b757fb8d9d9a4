"""Decides the language of a text, among those that a model was trained on."""

from model.checkpoints.checkpoint import Checkpoint
from stages.errors import UsageError
from stages.text.languages import LANGUAGES, detect, normalise_code


def language_of(text: str, language: str | None, checkpoint: Checkpoint) -> str:
    """Returns the code of a text's language.

    Args:
        text: The text.
        language: Its language, if the user gave it.
        checkpoint: The model. A text is in one of the languages that it was trained on, or in any of the table if an
            older model doesn't tell them.

    Raises:
        TextError: if the language isn't in the table, or can't be told.
        UsageError: if the model wasn't trained on the language given.
    """
    if language:
        return known_language(language, checkpoint)
    candidates = [code for code in checkpoint.languages if code in LANGUAGES]
    return detect(text, candidates or None, setting="--language")


def known_language(language: str, checkpoint: Checkpoint) -> str:
    """Returns the code of a language; raises `UsageError` if the model wasn't trained on it."""
    code = normalise_code(language)
    trained = checkpoint.languages or tuple(checkpoint.tokenizer.languages.values())
    if code not in trained:
        raise UsageError(
            f"`language` must be one that `{checkpoint.folder}` was trained on ({', '.join(trained)}), but is `{code}`."
            " Leave it out, or train a model on it (`trainer.start_from` fine-tunes this one)."
        )
    return code
