"""Says in words what a speech lacks."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model.inference.speech import Speech

_SHOWN = 60
"""Most characters of a text in a note."""


def notes(speech: "Speech", *, limited: bool) -> list[str]:
    """Returns a line for each thing that isn't as it should be.

    Args:
        speech: What was spoken.
        limited: Whether the user gave the longest length (`max_s`).
    """
    found = [*speech.notes]
    if speech.unseen:
        found.append(f"the model guesses symbols that its training set lacks: {' '.join(speech.unseen)}")
    cut = [number for number, said in enumerate(speech.parts, start=1) if said.cut]
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
    elif speech.cut and not speech.unsaid:
        found.append(f"cut at {speech.duration_s:.2f} s, before the model had finished: {advice}")
    if speech.layers and speech.layers.of:
        saved, of = speech.layers.saved, speech.layers.of
        found.append(f"early exit left out {saved:,} of {of:,} layers ({saved / of:.0%})")
    if speech.unsaid:
        found.append(f"cut at {speech.duration_s:.2f} s: this wasn't said: {_shown(speech.unsaid)}: raise --max-s")
    return found


def _shown(text: str) -> str:
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN].rstrip()} …"'
