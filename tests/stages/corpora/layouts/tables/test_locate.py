"""Where the recordings of a table are looked for, and where not."""

import pytest

from stages.corpora.layouts.tables.locate import slashed
from stages.corpora.layouts.tables.pieces import locator_of


def places(root, files, table, names):
    for file in files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    (root / table).parent.mkdir(exist_ok=True)
    locator = locator_of(root / table, names)
    return [locator.find(name) for name in names], [locator.place(name) for name in names]


@pytest.mark.parametrize(
    ("files", "names", "found"),
    [
        (["set/a.wav"], ["a.wav"], ["a.wav"]),
        (["set/wavs/a.wav"], ["a"], ["wavs/a.wav"]),
        (["set/clips/a.opus"], ["a"], ["clips/a.opus"]),
        (["set/wavs/a.b.flac"], ["a.b"], ["wavs/a.b.flac"]),
        (["set/audio/x/a.wav"], ["x/a.wav"], ["audio/x/a.wav"]),
        (["set/wavs/a.wav"], ["/old/set/wavs/a.wav"], ["wavs/a.wav"]),
        (["set/wavs/a.wav"], ["D:\\old\\wavs\\a.wav"], ["wavs/a.wav"]),
        (["set/wavs/a.wav"], ["./wavs/./a.wav"], ["wavs/a.wav"]),
        (["set/wavs/a.wav", "set/wavs/b.wav"], ["/old/a.wav", "/old/b.wav"], ["wavs/a.wav", "wavs/b.wav"]),
        (["audio/x/a.wav"], ["x/a.wav"], [None]),
        (["audio/x/a.wav"], ["/mnt/audio/x/a.wav"], ["../audio/x/a.wav"]),
        # a bare name, or one of several files of that name, could be that of another recording
        (["a.wav"], ["a.wav"], [None]),
        (["set/a.wav"], ["/x/a.wav", "/y/a.wav"], [None, None]),
        # what is missing below isn't looked for in another corpus above
        (["wavs/b.wav", "set/wavs/a.wav"], ["wavs/b.wav", "wavs/a.wav"], [None, "wavs/a.wav"]),
    ],
)
def test_found(tmp_path, files, names, found):
    assert places(tmp_path, files, "set/metadata.csv", names)[0] == found


def test_a_missing_one_is_where_the_others_are(tmp_path):
    files = ["set/wavs/a.flac"]
    assert places(tmp_path, files, "set/metadata.csv", ["a", "b"])[1] == ["wavs/a.flac", "wavs/b.flac"]
    names = ["/old/corpus/wavs/a.flac", "/old/corpus/wavs/b.flac"]
    assert places(tmp_path, files, "set/metadata.csv", names)[1] == ["wavs/a.flac", "wavs/b.flac"]
    assert places(tmp_path, [], "other/metadata.csv", ["a", "x/b.mp3"])[1] == ["a.wav", "x/b.mp3"]


def test_only_paths_of_windows_lose_their_backslashes():
    assert slashed("wavs\\a.wav") == "wavs/a.wav"
    assert slashed("C:\\x/a.wav") == "C:/x/a.wav"
    assert slashed("wavs/a\\b.wav") == "wavs/a\\b.wav"
