"""Says in words what a speech lacks."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.inference.guards.takes import Fault
    from model.inference.speech import Speech

_SHOWN = 60
"""Most characters of a text in a note."""
FAULTS: "Mapping[Fault, str]" = {
    "loop": "repeats itself",
    "silence": "is silent, or a steady sound, for too long",
    "long": "is longer than its text can be, or has no end",
    "short": "is shorter than its text can be",
}
"""The faults in words."""


def notes(speech: "Speech", *, limited: bool) -> list[str]:
    """Returns a line for each thing that isn't as it should be.

    Args:
        speech: What was spoken.
        limited: Whether the user gave the longest length (`max_s`).
    """
    found = [*speech.notes]
    if speech.unseen:
        found.append(f"the model guesses symbols that its training set lacks: {' '.join(speech.unseen)}")
    found += _faults(speech)
    cut = [number for number, said in enumerate(speech.parts, start=1) if said.cut and not said.faults]
    advice = "raise --max-s" if limited else "try another --seed"
    if cut and len(speech.parts) > 1:
        several = len(cut) > 1
        which = f"parts {', '.join(map(str, cut))}" if several else f"part {cut[0]}"
        text = _shown(speech.parts[cut[0] - 1].text)
        # The length of a part is limited by the training set, whatever --max-s is.
        found.append(
            f"{which} of {len(speech.parts)} had no end within the longest length of the training set, and"
            f" {'were' if several else 'was'} cut ({text}): try another --seed"
        )
    elif speech.cut and not speech.unsaid and not speech.faults:
        found.append(f"cut at {speech.duration_s:.2f} s, before the model had finished: {advice}")
    if speech.layers and speech.layers.of:
        saved, of = speech.layers.saved, speech.layers.of
        found.append(f"early exit left out {saved:,} of {of:,} layers ({saved / of:.0%})")
    if speech.unsaid:
        found.append(f"cut at {speech.duration_s:.2f} s: this wasn't said: {_shown(speech.unsaid)}: raise --max-s")
    return found


def _faults(speech: "Speech") -> list[str]:
    """Returns a line for each faulty part, and one for what was drawn again."""
    found = []
    for number, said in enumerate(speech.parts, start=1):
        if said.faults:
            where = f"part {number} of {len(speech.parts)} " if len(speech.parts) > 1 else "it "
            takes = f", as each of {said.takes} takes had a fault" if said.takes > 1 else ""
            found.append(f"{where}{FAULTS[said.faults[0]]}{takes} ({_shown(said.text)}): try another --seed")
    dropped = sum(len(said.discarded) for said in speech.parts if not said.faults)
    if dropped:
        kinds = "; ".join(dict.fromkeys(FAULTS[fault] for said in speech.parts for fault in said.discarded))
        found.append(f"{dropped} of {speech.takes} takes had a fault ({kinds}); others took their place")
    return found


def about(speech: "Speech", out: Path, model: Path) -> dict[str, float | int | str | list[str]]:
    """Returns what is told of a speech in `--json`.

    Args:
        speech: What was spoken.
        out: Its file.
        model: The model's folder.
    """
    return {
        "out": str(out),
        "seconds": round(speech.duration_s, 3),
        "language": speech.language,
        "phonemes": speech.phonemes,
        "sentences": speech.sentences,
        "cut": speech.cut,
        "takes": speech.takes,
        "faults": list(speech.faults),
        "discarded": list(speech.discarded),
        "compute_s": round(speech.compute_s, 3),
        **({"frames_per_pass": round(speech.frames_per_pass, 2)} if speech.frames_per_pass else {}),
        **({"layers": speech.layers.of, "layers_saved": speech.layers.saved} if speech.layers else {}),
        "model": str(model),
    }


def _shown(text: str) -> str:
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN].rstrip()} …"'
