"""What a model is trained on, in figures: for its checkpoints, and from there for its card."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from model.data.examples import Examples
from stages.artefacts.left_out import left_out


def figures_of(train: Examples, validation: Examples) -> dict[str, Any]:
    """Counts the utterances of a run: hours, speakers, languages, and what the stages of `valle-prep` left out.

    Returns:
        `hours`, `utterances`, `speakers`, `validation_utterances`, `hours_by_language`, `not_used` (utterances of the
        dataset outside `data.min_s` and so on), `left_out` by stage and reason. Plain JSON values.
    """
    store, rate = train.store, train.store.codec.frame_rate
    rows = np.concatenate([train.rows, validation.rows])
    seconds = np.asarray(store.frames)[rows] / rate
    languages: Counter[str] = Counter()
    for row, length in zip(rows.tolist(), seconds.tolist(), strict=True):
        languages[store.languages[row]] += length
    return {
        "hours": round(float(seconds.sum()) / 3600, 4),
        "utterances": len(rows),
        "validation_utterances": len(validation.rows),
        "not_used": len(store.frames) - len(rows),
        "speakers": len({store.speakers[row] for row in rows.tolist()}),
        "hours_by_language": {code: round(length / 3600, 4) for code, length in languages.most_common()},
        "left_out": left_out(Path(train.config.store)),
    }
