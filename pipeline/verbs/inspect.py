"""`valle-prep inspect ID`: shows what each stage made of one recording or utterance."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from pipeline.config import stage_class
from pipeline.dataset.folder import RECORDINGS, Dataset, stages_of
from pipeline.dataset.lookup import LocatedItem, find
from stages.artefacts.formats import read_lines
from stages.artefacts.manifest import (
    CODEC,
    COMPLETE,
    METADATA,
    OUT,
    Receipt,
    list_shards,
    part_paths,
    read_receipt,
    read_sealed,
)
from stages.artefacts.parquet import find_rows
from stages.base import Out, Stage
from stages.cleaning.cleaned import Cleaned
from stages.errors import ArtefactError, MissingInputError
from stages.ids import file_of, path_of
from stages.records import Codes, Encoded, Recording, Transcript, Utterance
from stages.remote import files as remote
from stages.similar import TABLE
from stages.store.reader import open_store
from stages.tar import members
from stages.transcripts.languages import in_language, read_languages

_FIRST_FRAMES = 4
_WIDTH = 100
"""Characters shown of a value if each item has one line; the JSON has all."""

Item = dict[str, Any]


def inspect(dataset: Dataset, text: str) -> dict[str, Any]:
    """Returns what is known of a recording or an utterance, as plain JSON values.

    Args:
        dataset: The dataset.
        text: An id, or an unambiguous part of one.

    Returns:
        `id`: the full id; `kind`: `recording` or `utterance`;
        `recording`: `id`, `path`, `bytes` (null if the file is gone), `digest` (SHA-256 at the last scan), `state`
            (`unchanged`, `changed` or `gone`), `group`, `speaker`, `transcript` (path, null for none),
            `transcript_state` (null for a table);
        `stages`: one object a stage, in order:
            `stage`; `state` (see below); `note` (what is wrong, or what to do); `shard`;
            `fingerprint` (of the shard's receipt, null if there is none);
            `version`, `parameters`, `revision` of the stage's last complete run, null before that (`revision`, of the
                weights or packages, also if the stage uses none);
            `items`: what the stage made of it. Each item has `id` and `state`. An item that is `done` has, by stage:
                `transcribe`: `language`, `source`, `samples`, `sample_rate`, `timed`, `segments`, `text`; and if
                    there are any `misfit`, `taken` (out of the text: `kind`, `count`, `examples`), `bad` (segments:
                    `name`, `why`, `reason`, `start_samples`);
                `slice`: `start_samples`, `end_samples`, `seconds`, `language`, `text`, `gain_db`, `measures` (of the
                    audio: `snr_db`, `clipped`, `silence`, `peak`, `hash`, `loudness_lufs`, DNSMOS's `sig`, `bak`,
                    `ovrl`; null if not measured);
                `g2p`: `spoken` and `unread` if there is such, `phonemes`;
                `encode`: `codebooks`, `frames`, `dtype`, `first_codes` (the first frames, each a list of K), `sha256`
                    (of the codes' bytes, T before K), `codec` (its identity);
                `hdf5`: `file`, `row_in_file`, `row` (in the store, null if the stage isn't finished), `sha256`;
                `metadata`: `row`, as in the Parquet table (null if the stage isn't finished);
                `similar`: `neighbours`, a list of `id` and `score` (null if the stage isn't finished);
                `mix`, if it was run: `codebooks`, `frames`, `dtype`, `first_codes` and `sha256` of each mixture.
            An item that is `filtered` or `rejected` has `reason`, `message`, `hint`.

        The state of a stage: `done`; `out of date` (the stage before has changed since); `left out` (every item was
        filtered or rejected); `not reached` (an earlier stage left out every item); `not run`; `not finished`;
        `damaged`.

    Raises:
        MissingInputError: if the dataset has no recordings yet.
        UsageError: if no id or several ids match; names the nearest.
    """
    found = find(dataset, text)
    stages: dict[str, Any] = {}
    for name in stages_of(dataset):
        stages[name] = _stage(dataset, found, name, stages)
    return {
        "id": found.id,
        "kind": "recording" if found.id == found.recording.id else "utterance",
        "recording": _recording(dataset, found.recording),
        "stages": list(stages.values()),
    }


def _recording(dataset: Dataset, recording: Recording) -> dict[str, Any]:
    path = dataset.voices / path_of(recording.id)
    beside = dataset.voices / path_of(recording.transcript) if recording.transcript else None
    return {
        "id": recording.id,
        "path": str(path),
        "bytes": members.stamp(path)[0] if members.is_file(path) else None,
        "digest": recording.digest,
        "state": _state(path, recording.digest),
        "group": recording.group,
        "speaker": recording.speaker,
        "transcript": str(beside) if beside else None,
        "transcript_state": _state(beside, recording.transcript_digest) if beside and not recording.told else None,
    }


def _state(path: Path, digest: str) -> str:
    """Returns whether a file is `unchanged` since the scan, `changed` or `gone`."""
    try:
        with remote.asked():
            return "unchanged" if members.digest(path) == digest else "changed"
    except OSError:
        return "gone"


def _stage(dataset: Dataset, found: LocatedItem, name: str, before: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Returns the report of one stage; `before` has the reports of the earlier stages by name."""
    stage = stage_class(name)
    folder = dataset.stage(name)
    receipt, made_with = read_receipt(folder, found.shard), read_sealed(folder / COMPLETE)
    report: dict[str, Any] = {
        "stage": name,
        "state": "done",
        "note": "",
        "shard": found.shard,
        "fingerprint": receipt.fingerprint if receipt else None,
        "version": made_with.get("version"),
        "parameters": made_with.get("parameters"),
        "revision": None,
        "items": [],
    }
    again = f"run `valle-prep {name}{' VOICES' * (stage.needs == RECORDINGS)} --out {dataset.folder}`"
    upstream = stage.follows(dataset.cleaner)
    if before.get(upstream, {}).get("state") in {"left out", "not reached"}:
        return report | {"state": "not reached", "note": f"`{upstream}` left nothing of it"}
    if receipt is None:
        return report | {"state": "not finished" if list_shards(folder) else "not run", "note": again}
    try:
        report["items"] = [*_done(stage, dataset, found), *_left_out(folder, found, name)]
        sources = [str(item.get("source")) for item in report["items"]]
        unused = name == "transcribe" and not any(source.startswith("whisperx") for source in sources)
        report["revision"] = None if unused else made_with.get("revision") or None
    except (ArtefactError, OSError, ValueError, KeyError, TypeError) as error:
        return report | {"state": "damaged", "note": f"{' '.join(str(error).split())}; {again}"}
    return report | _verdict(stage, dataset, receipt, report["items"], again)


def _verdict(
    stage: type[Stage[Any, Any, Any]], dataset: Dataset, receipt: Receipt, items: Sequence[Item], again: str
) -> dict[str, str]:
    """Returns `state` and `note` of a stage that has made this shard; nothing if all is well."""
    before = stage.follows(dataset.cleaner)
    upstream = read_receipt(dataset.stage(before), receipt.shard)
    if receipt.upstream and (upstream is None or upstream.digest != receipt.upstream):
        return {"state": "out of date", "note": f"`{before}` has changed since: {again}"}
    if not items:
        return {"state": "not finished", "note": f"`--limit` left it out: {again} without `--limit`"}
    if all(item["state"] != "done" for item in items):
        return {"state": "left out", "note": ""}
    if not (dataset.stage(stage.name) / COMPLETE).is_file():
        return {"state": "not finished", "note": f"this shard is done, others are not: {again}"}
    return {}


@dataclass(frozen=True, slots=True)
class _Made(Generic[Out]):
    """The outputs of a stage for the recording or utterance that is inspected."""

    dataset: Dataset
    shard: str
    outputs: Mapping[int, Out]
    """By row number in the shard."""


def _done(stage: type[Stage[Any, Any, Any]], dataset: Dataset, found: LocatedItem) -> Iterator[Item]:
    """Yields the outputs of a stage that belong to the recording or utterance."""
    folder = dataset.stage(stage.name)
    paths = part_paths(folder, found.shard, stage.format.parts)
    outputs = enumerate(stage.format.read(paths))
    wanted = {n: output for n, output in outputs if _belongs(found, stage.name, output.id)}
    details = _DETAILS.get(stage.name, _plain)(_Made(dataset, found.shard, wanted))
    for output, detail in zip(wanted.values(), details, strict=True):
        yield {"id": output.id, "state": "done", **detail}


def _belongs(found: LocatedItem, stage: str, item_id: str) -> bool:
    return file_of(item_id) == found.recording.id if stage in {"clean", "transcribe"} else found.holds(item_id)


def _left_out(folder: Path, found: LocatedItem, stage: str) -> Iterator[Item]:
    for row in read_lines(folder / f"{found.shard}.{OUT}"):
        if _belongs(found, stage, row["id"]):
            why = {"reason": row["reason"], "message": row["message"], "hint": row.get("hint", "")}
            yield {"id": row["id"], "state": row["kind"], **why}


def _codec(folder: Path) -> dict[str, Any]:
    path = folder / CODEC
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _plain(made: _Made[Any]) -> list[Item]:
    return [output.to_json() for output in made.outputs.values()]


def _cleanings(made: _Made[Cleaned]) -> list[Item]:
    shown = {*Cleaned.__match_args__} - {*Recording.__match_args__} | {"digest"}
    return [{name: value for name, value in row.to_json().items() if name in shown} for row in made.outputs.values()]


_IF_ANY = ("misfit", "taken", "bad", "guessed")
"""Fields of a transcript that most have not."""


def _transcripts(made: _Made[Transcript]) -> list[Item]:
    names = ("language", "source", "samples", "sample_rate", "timed")
    decided = read_languages(made.dataset.stage("transcribe"))
    return [
        {name: getattr(row, name) for name in names}
        | {name: value for name in _IF_ANY if (value := row.to_json().get(name)) is not None}
        | {"segments": len(row.segments), "text": " ".join(segment.text for segment in row.segments if segment.text)}
        for row in (in_language(row, decided.get(row.id)) for row in made.outputs.values())
    ]


def _cuts(made: _Made[Utterance]) -> list[Item]:
    return [
        {
            "start_samples": row.start_samples,
            "end_samples": row.end_samples,
            "seconds": round(row.duration_s, 3),
            "language": row.language,
            "text": row.text,
            "gain_db": row.gain_db,
            "measures": row.measures.to_json() if row.measures else None,
            **{name: part.to_json() for name in ("certainty", "again") if (part := getattr(row, name))},
        }
        for row in made.outputs.values()
    ]


def _phonemes(made: _Made[Utterance]) -> list[Item]:
    return [
        {name: value for name in ("spoken", "unread") if (value := row.to_json().get(name)) is not None}
        | {"phonemes": row.phonemes}
        for row in made.outputs.values()
    ]


def _codes(made: _Made[Encoded]) -> list[Item]:
    codec = _codec(made.dataset.stage("encode")) or None
    return [item | {"codec": codec} for item in _mixtures(made)]


def _mixtures(made: _Made[Encoded]) -> list[Item]:
    return [
        {
            "codebooks": item.codes_KT.shape[0],
            "frames": item.codes_KT.shape[1],
            "dtype": str(item.codes_KT.dtype),
            "first_codes": item.codes_KT.T[:_FIRST_FRAMES].tolist(),
            "sha256": _sha256(item.codes_KT),
        }
        for item in made.outputs.values()
    ]


def _sha256(codes_KT: Codes) -> str:
    return hashlib.sha256(codes_KT.T.tobytes()).hexdigest()


def _stored(made: _Made[Encoded]) -> list[Item]:
    try:
        wanted = {item.id for item in made.outputs.values()}
        rows = {uid: row for row, uid in enumerate(open_store(made.dataset.folder).ids) if uid in wanted}
    except MissingInputError:
        rows = {}
    file = str(part_paths(made.dataset.stage("hdf5"), made.shard, ["h5"])["h5"])
    return [
        {"file": file, "row_in_file": n, "row": rows.get(item.id), "sha256": _sha256(item.codes_KT)}
        for n, item in made.outputs.items()
    ]


def _described(made: _Made[Any]) -> list[Item]:
    ids = [row.id for row in made.outputs.values()]
    rows = _rows_of(made.dataset.stage("metadata") / METADATA, ids)
    return [{"row": rows.get(uid)} for uid in ids]


def _neighbours(made: _Made[Any]) -> list[Item]:
    ids = [row.id for row in made.outputs.values()]
    rows = _rows_of(made.dataset.stage("similar") / TABLE, ids, ["id", "similar", "similar_score"])
    return [{"neighbours": _scored(rows.get(uid))} for uid in ids]


def _scored(row: Item | None) -> list[Item] | None:
    """Returns the neighbours in a row of the table; None without a row."""
    if row is None:
        return None
    pairs = zip(row["similar"] or [], row["similar_score"] or [], strict=True)
    return [{"id": uid, "score": round(score, 6)} for uid, score in pairs]


def _rows_of(path: Path, ids: Sequence[str], columns: Sequence[str] | None = None) -> dict[str, Item]:
    return find_rows(path, ids, columns) if path.is_file() else {}


_DETAILS: dict[str, Callable[[_Made[Any]], list[Item]]] = {
    "clean": _cleanings,
    "transcribe": _transcripts,
    "slice": _cuts,
    "g2p": _phonemes,
    "encode": _codes,
    "hdf5": _stored,
    "metadata": _described,
    "similar": _neighbours,
    "mix": _mixtures,
}
"""Stage -> the fields shown of its outputs; all fields for a stage without a row."""


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Yields the result of `inspect` as lines for people."""
    yield f"{result['kind']} {result['id']}"
    yield ""
    yield "source"
    yield from _pairs(result["recording"])
    for stage in result["stages"]:
        yield ""
        yield f"{stage['stage']}: {stage['state']}" + (f" ({stage['note']})" if stage["note"] else "")
        if stage["state"] in {"not run", "not reached"}:
            continue
        yield from _pairs({key: stage[key] for key in ("shard", "fingerprint", "version", "parameters", "revision")})
        single = len(stage["items"]) == 1
        for item in stage["items"]:
            rest = {key: value for key, value in item.items() if key not in {"id", "state"}}
            left_out = "" if item["state"] == "done" else f" {item['state']}:"
            if single:
                yield f"  {item['id']}{left_out}"
                yield from _pairs(rest, indent=4)
            else:
                yield f"  {item['id']}{left_out} " + ", ".join(f"{key} {_shown(rest[key])}" for key in rest)


def _pairs(values: Mapping[str, Any], indent: int = 2) -> Iterator[str]:
    """Yields one line a value; mappings and lists of mappings are indented below their key."""
    for key, value in values.items():
        if value in (None, ""):
            continue
        rows = value if isinstance(value, list) and all(isinstance(row, dict) for row in value) else []
        if isinstance(value, dict) and value:
            yield f"{' ' * indent}{key}"
            yield from _pairs(value, indent + 2)
        elif rows:
            yield f"{' ' * indent}{key}"
            yield from (f"{' ' * indent}  {'  '.join(map(_text, row.values()))}" for row in rows)
        else:
            yield f"{' ' * indent}{key:<16} {_text(value)}"


def _shown(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
