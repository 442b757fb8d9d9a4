"""NeMo's manifests of tar files, and JSON that isn't a manifest."""

import json
from pathlib import Path

import pytest

from stages.corpora.layouts.tables.jsonlines import first_object, objects_of
from stages.corpora.scan import scan
from stages.errors import UsageError
from tests.stages.corpora.layouts.shapes import wav, write, write_tar
from tests.stages.corpora.layouts.test_table import transcripts


def row(audio: str, text: str, **more: object) -> str:
    return json.dumps({"audio_filepath": audio, "text": text, "duration": 1.0, **more})


def said(root: Path) -> dict[str, list[str]]:
    return {found.id: [segment.text for segment in found.segments] for found in transcripts(root)}


def test_tarred(tmp_path):
    for shard in (0, 1):
        write_tar(tmp_path / f"audio_{shard}.tar", {f"a{shard}.wav": wav(3), "same.wav": wav(3)})
    write(
        tmp_path / "tarred_audio_manifest.json",
        row("a0.wav", "Hello there.", shard_id=0),
        row("a1.wav", "The first part.", shard_id=1, offset=0.0),
        row("a1-sub1.wav", "The second part.", shard_id=1, offset=1.5),
        row("same.wav", "Zero.", shard_id=0),
        row("./same.wav", "One.", shard_id=1),
    )
    expected = {
        "audio_0.tar/a0.wav": ["Hello there."],
        "audio_0.tar/same.wav": ["Zero."],
        "audio_1.tar/a1.wav": ["The first part.", "The second part."],
        "audio_1.tar/same.wav": ["One."],
    }
    assert said(tmp_path) == expected
    lines = (tmp_path / "tarred_audio_manifest.json").read_text().splitlines()
    (tmp_path / "tarred_audio_manifest.json").unlink()
    for shard in (0, 1):
        held = [json.loads(line) for line in lines]
        write(
            tmp_path / "sharded_manifests" / f"manifest_{shard}.json",
            *(
                json.dumps({k: v for k, v in one.items() if k != "shard_id"})
                for one in held
                if one["shard_id"] == shard
            ),
        )
    assert said(tmp_path) == expected


def test_a_member_that_no_shard_holds_is_told(tmp_path):
    write_tar(tmp_path / "audio_0.tar", {"a.wav": wav()})
    write(tmp_path / "m.json", row("a.wav", "Hello.", shard_id=0), row("b.wav", "No.", shard_id=0))
    gone = [found for found in transcripts(tmp_path) if found.id.endswith("b.wav")]
    assert gone[0].reason == "NotThere"
    assert gone[0].id == "audio_0.tar/b.wav"


@pytest.mark.parametrize(
    ("content", "first", "count"),
    [
        ('{"a": 1}\n\n{"a": 2}\nnothing\n', {"a": 1}, 3),
        ('[{"a": 1}, 5, {"b": 2}]', {"a": 1}, 3),
        ('{\n "a": 1\n}', {}, 3),
        ("", {}, 0),
        ("[" * 10_000, {}, None),
    ],
)
def test_objects(tmp_path, content, first, count):
    (tmp_path / "x.json").write_text(content)
    assert first_object(tmp_path / "x.json") == first
    if count is None:
        with pytest.raises(UsageError, match="must be JSON, but isn't"):
            list(objects_of(tmp_path / "x.json"))
    else:
        assert len(list(objects_of(tmp_path / "x.json"))) == count


def test_a_manifest_of_another_machine(tmp_path):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.wav").write_bytes(wav())
    write(tmp_path / "manifests" / "train.json", row("/mnt/data/corpus/clips/a.wav", "Hello there."))
    (found,) = scan(tmp_path).recordings
    assert (found.id, found.speaker) == ("clips/a.wav", "clips")
    assert json.loads(found.told)["content"] == {"text": "Hello there."}
