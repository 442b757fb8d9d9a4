"""Files of a store: what is listed, read, kept and refused; a store that fails, and files that change."""

import hashlib
import logging
from pathlib import Path

import pytest

from stages.corpora.scan import scan
from stages.errors import AudioError, MachineError, MissingInputError, UsageError
from stages.remote import cache, files, stores
from stages.remote.paths import path_from
from stages.tar import members
from tests.stages.corpora.layouts.shapes import write_tar
from tests.stages.remote.conftest import SECRET, forget
from tests.stages.remote.server import BUCKET, Served

ROOT = f"s3://{BUCKET}/v"
ODD = (
    "ä/ß/eins zwei.wav",
    "a#b?c%20d/e+f&g/h%.wav",
    "日本/話者/一.wav",
    "Case/x/a.wav",
    "case/x/a.wav",
    "x/y/'q\".wav",
)


def content(count: int, seed: int = 0) -> bytes:
    return b"".join(hashlib.sha256(f"{seed} {n}".encode()).digest() for n in range(-(-count // 32)))[:count]


def test_odd_names_pages_and_empty_folders(s3: Served, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wanted = [*ODD, *(f"many/one/{n:05d}.wav" for n in range(2_300))]
    s3.objects = {f"v/{name}": b"RIFF" for name in wanted}
    s3.objects |= {"v/": b"", "v/empty/": b"", "vocal/no.wav": b"", "v/.hidden/z.wav": b"", "v/many/.z.wav": b""}
    wrong = {"v/a//b.wav": b"1", "v/./c.wav": b"2", "v/many/one/00007.wav/inner.wav": b"3"}
    s3.objects |= wrong
    with files.listed(path_from(ROOT), tmp_path), caplog.at_level(logging.WARNING):
        found = scan(path_from(ROOT))
        assert [one.id for one in found.recordings] == sorted(wanted)
        assert (
            files.digest(f"{ROOT}/{ODD[1]}") == hashlib.sha256(f"object {s3.tag('v/' + ODD[1])} 4".encode()).hexdigest()
        )
        for name in ODD:
            assert members.read_bytes(path_from(ROOT) / name) == b"RIFF"
    assert s3.asked.count("LIST v/") >= 3
    assert f"{len(wrong)} keys aren't read" in caplog.text


def test_a_range_is_fetched_in_blocks_and_kept(s3: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "BLOCK", 1000)
    monkeypatch.setattr(files, "BLOCK", 1000)
    s3.objects["v/a.wav"] = body = content(4_500)
    url = f"{ROOT}/a.wav"
    with members.open_file(url) as file:
        file.seek(2_100)
        assert file.read(5) == body[2_100:2_105]
    assert [line for line in s3.asked if "bytes" in line] == ["GET v/a.wav bytes=2000-2999"]
    with members.member_file(url) as file:
        assert file.name == url
        assert file.read() == body
    assert sum("bytes" in line for line in s3.asked) == 5
    forget()
    with members.open_file(url) as file:
        assert file.read() == body
    assert sum("bytes" in line for line in s3.asked) == 5


def test_the_cache_is_bounded_and_mends_itself(s3: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VALLE_CACHE_GIB", str(300_000 / 2**30))
    bodies = {f"v/{n}.wav": content(50_000, n) for n in range(20)}
    s3.objects |= bodies
    for key, body in bodies.items():
        assert members.read_bytes(path_from(f"s3://{BUCKET}/{key}")) == body
        kept = sum(path.stat().st_blocks * 512 for path in (tmp_path / "cache").rglob("*") if path.is_file())
        assert kept < 2 * 300_000
    last = max((tmp_path / "cache").rglob("*.sums"), key=lambda path: path.stat().st_mtime_ns).with_suffix("")
    assert last.stat().st_mode & 0o077 == 0
    held = bytearray(last.read_bytes())
    held[777] ^= 1
    last.write_bytes(held)
    assert members.read_bytes(path_from(f"{ROOT}/19.wav")) == bodies["v/19.wav"]
    assert last.read_bytes() == bodies["v/19.wav"]


def test_a_cache_that_cannot_be(s3: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.objects["v/a.wav"] = b"RIFF"
    monkeypatch.setenv("VALLE_CACHE_GIB", "much")
    with pytest.raises(UsageError, match="`VALLE_CACHE_GIB` must be a size in GiB, such as 20, but is `much`"):
        members.read_bytes(path_from(f"{ROOT}/a.wav"))
    monkeypatch.setenv("VALLE_CACHE_GIB", "0")
    assert members.read_bytes(path_from(f"{ROOT}/a.wav")) == b"RIFF"
    forget()
    (tmp_path / "file").touch()
    monkeypatch.setenv("VALLE_CACHE", str(tmp_path / "file"))
    with pytest.raises(MachineError, match=r"can't be written to: .* name another folder in `VALLE_CACHE`"):
        members.read_bytes(path_from(f"{ROOT}/a.wav"))


def test_a_damaged_listing_is_told(s3: Served, tmp_path: Path) -> None:
    (tmp_path / ".objects.sqlite").write_bytes(b"no database" * 400)
    with pytest.raises(MissingInputError, match="isn't there or is damaged"):
        files.attach(path_from(ROOT), tmp_path)
    s3.objects["v/a.wav"] = b"RIFF"
    with files.listed(path_from(ROOT), tmp_path, tmp_path / ".objects.sqlite") as made:
        files.keep_listing(made, path_from(ROOT), tmp_path)
    files.attach(path_from(ROOT), tmp_path)
    assert members.is_file(f"{ROOT}/a.wav")


@pytest.mark.parametrize("fault", ["503", "500", "429", "cut", "slow"])
def test_a_failure_that_passes_is_waited_for(s3: Served, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setattr(stores, "ANSWER_S", 1)
    s3.objects["v/a.wav"] = body = content(9_000)
    times = {"LIST": 1, "HEAD": 1, "GET ": 2}

    def fails(line: str) -> str:
        times[line[:4]] -= 1
        kind = fault if line.startswith("GET") or fault != "cut" else "503"
        return kind if times[line[:4]] >= 0 else ""

    s3.fault = fails
    assert files.is_folder(ROOT)
    assert members.read_bytes(path_from(f"{ROOT}/a.wav")) == body
    assert max(times.values()) < 0


def test_an_s3_without_etags(s3: Served, tmp_path: Path) -> None:
    s3.tags, s3.objects["v/a.wav"] = "none", content(5_000)
    with files.listed(path_from(ROOT), tmp_path):
        assert members.digest(f"{ROOT}/a.wav") == hashlib.sha256(content(5_000)).hexdigest()
        s3.objects["v/a.wav"] = b"RIFF"
        with pytest.raises(AudioError, match="has changed"), members.member_file(f"{ROOT}/a.wav"):
            pass


def test_a_failure_that_lasts_stops_the_run_and_blames_no_file(s3: Served) -> None:
    s3.objects["v/a.wav"] = b"RIFF"
    s3.fault = lambda line: "503" if "bytes" in line else ""
    with pytest.raises(MachineError, match=rf"`{ROOT}/a.wav` can't be read: .*4 attempts.*goes on from here"):
        members.read_bytes(path_from(f"{ROOT}/a.wav"))


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("ExpiredToken", "have expired: renew them"),
        ("RequestTimeTooSkewed", "clock is wrong: set it"),
        ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_bad_credentials_and_clocks_blame_no_file(s3: Served, code: str, says: str) -> None:
    s3.objects["v/a.wav"] = b"RIFF"
    s3.fault = lambda line: code if "bytes" in line else ""
    with pytest.raises(MachineError, match=says) as refused:
        members.read_bytes(path_from(f"{ROOT}/a.wav"))
    assert SECRET not in str(refused.value)


def test_what_a_store_denies(s3: Served) -> None:
    s3.objects["v/a.wav"] = b"RIFF"
    s3.fault = lambda line: "403"
    with pytest.raises(UsageError, match="can't be listed: the store doesn't allow it"):
        files.check_folder(ROOT)
    s3.fault = lambda line: "403" if "bytes" in line else ""
    with pytest.raises(PermissionError):
        members.read_bytes(path_from(f"{ROOT}/a.wav"))


def test_missing_credentials_are_named(s3: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    s3.objects["v/a.wav"] = b"RIFF"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(UsageError, match=r"needs credentials, but none are set here. Set AWS_ACCESS_KEY_ID and AWS"):
        files.check_folder(ROOT)
    assert not s3.asked


@pytest.mark.parametrize("how", ["changed", "gone", "cut short", "changed after its first block"])
def test_a_file_that_is_another_by_now(s3: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(cache, "BLOCK", 1000)
    monkeypatch.setattr(files, "BLOCK", 1000)
    s3.objects["v/a.wav"] = content(5_000)
    reason = "NotThere" if how == "gone" else "Changed"
    with files.listed(path_from(ROOT), tmp_path):
        if how == "changed after its first block":
            members.open_file(f"{ROOT}/a.wav").read(10)
        s3.objects["v/a.wav"] = content(500 if how == "cut short" else 5_000, seed=1)
        if how == "gone":
            del s3.objects["v/a.wav"]
        with pytest.raises(AudioError) as refused, members.member_file(f"{ROOT}/a.wav"):
            pass
        assert refused.value.reason == reason
    with files.asked():
        assert members.is_file(f"{ROOT}/a.wav") == (how != "gone")


def test_a_tar_is_gone_through_once(s3: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tar = write_tar(
        tmp_path / "x.tar", {"anna/1.wav": content(20_000), "anna/2.wav": content(3_000, 2), "a/b.txt": b"B"}
    )
    s3.objects["v/in/x.tar"] = tar.read_bytes()
    (tmp_path / "dataset").mkdir()
    with files.listed(path_from(ROOT), tmp_path / "dataset") as made:
        found = scan(path_from(ROOT))
        files.keep_listing(made, path_from(ROOT), tmp_path / "dataset")
    assert [one.id for one in found.recordings] == ["in/x.tar/anna/1.wav", "in/x.tar/anna/2.wav"]
    forget()
    members._places.cache_clear()
    s3.asked.clear()
    files.attach(path_from(ROOT), tmp_path / "dataset")
    with members.member_file(f"{ROOT}/in/x.tar/anna/2.wav") as file:
        assert file.read() == content(3_000, 2)
    [(start, end)] = [line.partition("bytes=")[2].split("-") for line in s3.asked]
    assert int(end) - int(start) + 1 == 3_000


def test_web_servers(web: Served, tmp_path: Path) -> None:
    root = f"{web.url}/files/v"
    web.objects = {f"v/{name}": content(5_000, n) for n, name in enumerate(ODD)} | {"w/no.wav": b"RIFF"}
    with files.listed(path_from(root), tmp_path):
        found = scan(path_from(root))
        assert [one.id for one in found.recordings] == sorted(ODD)
        for name in ODD:
            assert members.read_bytes(path_from(root) / name) == web.objects[f"v/{name}"]
            assert (
                members.digest(f"{root}/{name}")
                == hashlib.sha256(f"object {web.tag(f'v/{name}')} 5000".encode()).hexdigest()
            )


@pytest.mark.parametrize("tags", ["weak", "none"])
def test_without_a_mark_to_trust_the_content_is_hashed(web: Served, tmp_path: Path, tags: str) -> None:
    web.tags, web.objects = tags, {"v/a/b.wav": content(5_000)}
    root = f"{web.url}/files/v"
    with files.listed(path_from(root), tmp_path):
        assert members.digest(f"{root}/a/b.wav") == hashlib.sha256(content(5_000)).hexdigest()


def test_a_server_without_ranges_is_refused(web: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "BLOCK", 1000)
    monkeypatch.setattr(files, "BLOCK", 1000)
    web.ranges, web.objects = False, {"v/a/b.wav": content(5_000)}
    with pytest.raises(MachineError, match="must answer requests for a range"):
        members.read_bytes(path_from(f"{web.url}/files/v/a/b.wav"))


def test_a_store_in_memory(alone: None, tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.store.clear()
    for name in ODD:
        memory.pipe_file(f"/v/{name}", name.encode())
    root = path_from("memory://v")
    with files.listed(root, tmp_path):
        assert [one.id for one in scan(root).recordings] == sorted(ODD)
        assert [members.read_bytes(root / name) for name in ODD] == [name.encode() for name in ODD]
        assert members.digest(root / ODD[0]) == hashlib.sha256(ODD[0].encode()).hexdigest()
        memory.pipe_file(f"/v/{ODD[0]}", b"another")
        forget()
    with pytest.raises(UsageError, match="must be a folder of recordings, but is not there"):
        files.check_folder("memory://elsewhere")
    with pytest.raises(UsageError, match="but is a file"):
        files.check_folder(f"memory://v/{ODD[0]}")
