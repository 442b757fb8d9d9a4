"""`valle-prep g2p --explain TEXT`: shows how a text is read, from writing to phonemes."""

from typing import TYPE_CHECKING, Any

from pipeline.dataset.folder import configuration
from stages.g2p import configured_lexicon
from stages.text.languages import detect, normalise_code
from stages.text.phonemes import read_texts

if TYPE_CHECKING:
    from pipeline.options import Options


def explain(options: "Options", text: str, language: str | None) -> dict[str, Any]:
    """Reads a text as `g2p` would, with the configuration of the command.

    Args:
        options: The command's options; `g2p.lexicon`, `japanese`, `stress` and `punctuation` are taken from them.
        text: The text.
        language: A code or name of the table of languages; None: the detected one.

    Returns:
        `language`, `text`, `spoken`, `phonemes`; `changes`, each with `kind`, `written` and `spoken`; and `unread`, the
        letters and signs that can't be read.

    Raises:
        TextError: if the language isn't in the table, or can't be told.
        ConfigError: if the lexicon can't be read.
    """
    config = configuration(options).g2p
    code = normalise_code(language) if language else detect(text, setting="--language")
    (read,) = read_texts(
        [text], code, stress=config.stress, punctuation=config.punctuation, lexicon=configured_lexicon(config)
    )
    changes = [
        {"kind": change.kind, "written": change.written, "spoken": change.spoken} for change in read.spoken.changes
    ]
    return {
        "language": code,
        "text": read.text,
        "spoken": read.spoken.text,
        "phonemes": read.phonemes,
        "changes": changes,
        "unread": list(read.spoken.unread),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Returns the result of `explain` as lines."""
    width = max((len(change["kind"]) for change in found["changes"]), default=0)
    return [
        *(f"{name:<9} {found[name]}" for name in ("language", "text", "spoken")),
        *(f"  {change['kind']:<{width}}  {change['written']} → {change['spoken']}" for change in found["changes"]),
        f"{'phonemes':<9} {found['phonemes']}",
        *([f"{'not read':<9} {' '.join(found['unread'])}"] if found["unread"] else []),
    ]
