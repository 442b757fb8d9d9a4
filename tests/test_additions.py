"""Adding a codec, language, layout, transcript format, sampler, task, export or judge touches one code file.

Each is added to a copy of the packages, in one new file or one row, and used there as users would: by the command line,
the doctor, the stages and the model. Nothing else of the copy is changed.
"""

# ruff: noqa: E501 (sources within strings)

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.audio.files import write_wav
from tests.limits import HANG_S

ROOT = Path(__file__).resolve().parents[1]

FILES = {
    "stages/codecs/zz_onebit.py": '''
        """A codec of one codebook: whether a frame is loud."""

        import numpy as np

        from stages.codecs.codec import CodecRow
        from stages.records import CodecIdentity


        class OneBit:
            name, sample_rate, frame_rate, num_codebooks, codebook_size, revision = "zz-onebit", 8_000, 50.0, 1, 2, "zz-onebit-1"

            @classmethod
            def identify(cls, weights, sample_rate):
                return CodecIdentity("zz-onebit", 8_000, 50.0, 1, 2, "zz-onebit-1")

            @classmethod
            def load(cls, weights, device, sample_rate):
                return cls()

            @staticmethod
            def tables(weights, sample_rate):
                return np.eye(2, dtype=np.float32)[None]

            def encode(self, waves):
                import torch

                frames = [torch.nn.functional.pad(wave, (0, -len(wave) % 160)).unfold(0, 160, 160) for wave in waves]
                return [(frame.abs().amax(1) > 0.1).long()[None] for frame in frames]

            def decode(self, codes_KT):
                return codes_KT[0].float().repeat_interleave(160)

            def embeddings(self):
                import torch

                return torch.eye(2)[None]


        ONEBIT = CodecRow("zz-onebit", "one bit a frame", OneBit, files=lambda weights, rate: [], packages=("numpy",))
        ''',
    "stages/corpora/layouts/zz_prompts.py": '''
        """A corpus with `zz_prompts.tsv`: file, speaker, text."""

        from stages.corpora.layouts.layout import Layout, Piece, lines_of


        def read_prompts(table):
            for _, line in lines_of(table):
                audio, speaker, text = line.split("\\t")
                yield Piece(audio, text, speaker=speaker)


        PROMPTS = Layout("zz_prompts", ("zz_prompts.tsv",), read_prompts)
        ''',
    "stages/transcripts/formats/zz_shout.py": '''
        """Transcripts in capitals, `.zz-shout`."""

        from stages.transcripts.formats.plain import read_plain
        from stages.transcripts.script import TranscriptFormat

        SHOUT = TranscriptFormat("zz-shout", (".zz-shout",), lambda text, audio: read_plain(text.lower(), audio), tells="nothing")
        ''',
    "stages/exchange/zz_ids.py": '''
        """The ids of a dataset, a line each."""

        from stages.exchange.export import Export


        def write_ids(source, folder, final):
            (folder / "ids.txt").write_text("\\n".join(source.store.ids))


        IDS = Export("zz-ids", "the ids, a line each", write_ids)
        ''',
    "model/decoding/samplers/zz_odd.py": '''
        """Rules out every second code."""

        from model.decoding.samplers.sampler import Option, Sampler


        def odd_only(logits_BV, stride):
            kept = logits_BV.clone()
            kept[:, ::stride] = -float("inf")
            return kept


        ODD = Sampler("zz_odd", 25, (Option("zz_odd", int, 0, "Rules out each n-th.", "0 or more", lambda n: n >= 0),), odd_only)
        ''',
}
ROWS = {
    "stages/text/languages.py": (
        "_ROWS = (\n",
        '_ROWS = (\n    _row("zz", "Esperanto of a test", "eo", words="unu du tri saluton"),\n',
    ),
    "model/evaluation/judges.py": (
        "JUDGES = {\n    row.name: row\n    for row in (\n",
        '''class Loudness:
    """Says how loud a wave is."""

    name = "zz_peak"

    def score(self, wave):
        return {"zz_peak": float(abs(wave).max())}


JUDGES = {
    row.name: row
    for row in (
        Judge("zz_peak", "quality", "peaks", "zz_peak", bool, False, "Measures peaks.", {"zz_peak": Column("zz_peak")},
              lambda value, device: Loudness() if value else None),
''',
    ),
    "model/sequences/tasks.py": (
        'Transform = Literal["ns", "sr", "tse", "cse", "nse", "vc"]',
        'Transform = Literal["ns", "sr", "tse", "cse", "nse", "vc", "zz_echo"]',
        "TRANSFORMS: Mapping[Transform, Spec] = {\n",
        'TRANSFORMS: Mapping[Transform, Spec] = {\n    "zz_echo": Spec("say it again", partial(_edited, None), lambda m: m.has_other, "others"),\n',
    ),
}
SCRIPT = """
import io, json, sys
from contextlib import redirect_stdout, redirect_stderr
from pathlib import Path

voices, out = map(Path, sys.argv[1:])

def run(app, *arguments):
    from stages.errors import run_app
    said, noted = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(noted):
        code = run_app(app, [str(argument) for argument in arguments])
    return code, said.getvalue(), noted.getvalue()

import pipeline.cli, model.cli
prep, valle = pipeline.cli.app, model.cli.app
sets = ["--set", "encode.codec=zz-onebit", "--set", "transcribe.languages={'*': zz}", "--scheduler", "sync"]
made = run(prep, "run", voices, "--out", out, *sets, "--json")
import pipeline.doctor.examine, pipeline.doctor.weights
pipeline.doctor.examine.CHECKS = (pipeline.doctor.weights.codecs,)
doctor = run(prep, "doctor", "--out", out, "--json", "--scheduler", "sync")
exported = run(prep, "export", "zz-ids", out / "ids", "--out", out)
unknown = [run(prep, "run", voices, "--out", out / "no", "--set", what)[2] for what in sys.stdin.read().split()]
helps = {name: run(valle, name, "--help")[1] for name in ("synth", "transform", "eval")}
helps["export"] = run(prep, "export", "--help")[1]

import torch
from model.decoding.samplers.chain import Sampling, sample
from model.decoding.samplers.noise import keys_of
from model.sequences.tokenizer import Tokenizer
from stages.store import open_store

store = open_store(out)
from model.evaluation.judges import load_judges
judged = load_judges(asr="none", zz_peak=True)["zz_peak"].score(torch.tensor([0.0, -0.5]).numpy())
drawn = sample(torch.zeros(64, 8), Sampling(zz_odd=2), keys_of(torch.tensor([0]), torch.arange(64))).tolist()
json.dump({
    "made": [made[0], json.loads(made[1])],
    "checks": [check["name"] for check in json.loads(doctor[1])["checks"]],
    "exported": [exported[0], (out / "ids" / "ids.txt").read_text().split()],
    "unknown": unknown,
    "helps": helps,
    "drawn": sorted(set(drawn)),
    "judged": judged,
    "rows": [[row.speaker, row.language, row.text, row.phonemes] for row in map(store.row, range(len(store)))],
    "codec": store.codec.name,
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages with a new file or row for each table."""
    root = tmp_path_factory.mktemp("added")
    for package in ("stages", "pipeline", "model"):
        shutil.copytree(ROOT / package, root / package)
    for name, source in FILES.items():
        assert not (root / name).exists()
        (root / name).write_text(textwrap.dedent(source).lstrip())
    for name, changes in ROWS.items():
        text = (root / name).read_text()
        for old, new in zip(changes[::2], changes[1::2], strict=True):
            assert old in text
            text = text.replace(old, new)
        (root / name).write_text(text)
    return root


@pytest.fixture(scope="module")
def seen(copy: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a user sees of them, in a fresh process."""
    voices = tmp_path_factory.mktemp("voices")
    sound = (np.sin(np.arange(16_000) / 10) * 0.5).astype(np.float32)
    for name in ("corpus/a", "corpus/b", "folder/anna/c", "folder/anna/d"):
        (voices / name).parent.mkdir(parents=True, exist_ok=True)
        write_wav(voices / f"{name}.wav", sound * (0.5 if name.endswith(("a", "c")) else 1), 8_000)
    (voices / "corpus/zz_prompts.tsv").write_text("a.wav\tberta\tsaluton\nb.wav\tcarl\tunu du\n")
    (voices / "folder/anna/c.zz-shout").write_text("SALUTON")
    (voices / "folder/anna/d.zz-shout").write_text("TRI")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, voices, tmp_path_factory.mktemp("out") / "dataset"],
        input="encode.codec=x transcribe.layout=x",
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_layout_a_format_and_a_language_make_rows(seen: dict[str, Any]) -> None:
    code, told = seen["made"]
    assert code == 0, told
    assert sorted((speaker, language, text) for speaker, language, text, _ in seen["rows"]) == [
        ("anna", "zz", "saluton"),
        ("anna", "zz", "tri"),
        ("berta", "zz", "saluton"),
        ("carl", "zz", "unu du"),
    ]
    assert "salˈuton" in {phonemes for *_, phonemes in seen["rows"]}


def test_a_codec_is_encoded_with_examined_and_offered(seen: dict[str, Any]) -> None:
    assert seen["codec"] == "zz-onebit"
    assert "codec zz-onebit" in seen["checks"]
    assert "zz-onebit" in seen["unknown"][0]
    assert "zz_prompts" in seen["unknown"][1]


def test_an_export_is_written_and_offered(seen: dict[str, Any]) -> None:
    code, ids = seen["exported"]
    assert code == 0
    assert len(ids) == 4
    assert "zz-ids" in seen["helps"]["export"]


def test_a_sampler_is_an_option_and_holds(seen: dict[str, Any]) -> None:
    assert all("--zz-odd" in seen["helps"][command] for command in ("synth", "transform", "eval"))
    assert seen["drawn"] == [1, 3, 5, 7]


def test_a_task_is_offered(seen: dict[str, Any]) -> None:
    assert "zz_echo" in seen["helps"]["transform"]


def test_a_judge_is_an_option_and_scores(seen: dict[str, Any]) -> None:
    assert "--zz-peak" in seen["helps"]["eval"]
    assert seen["judged"] == {"zz_peak": 0.5}
