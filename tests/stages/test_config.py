from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import PrepConfig
from stages.config import Config, apply_sets, load_config, load_yaml, runtime
from stages.errors import ConfigError


class Cut(Config):
    min_s: float = 1.0
    """Seconds."""
    workers: int = runtime(3, ge=1)
    """Affects no result."""
    language: str | None = None
    """A code."""


class Root(Config):
    cut: Cut = Cut()
    """A section."""


def write(folder: Path, text: str) -> Path:
    path = folder / "prep.yaml"
    path.write_text(text)
    return path


def test_scalars_mean_what_they_look_like(tmp_path: Path) -> None:
    path = write(tmp_path, "cut:\n  min_s: 3e-4\n  language: no\n")
    assert load_config(Root, path).cut == Cut(min_s=3e-4, language="no")
    assert load_yaml(write(tmp_path, "a: 010\nb: 1_000\nc: 12:30\nd: 2020-01-01\ne: on")) == {
        "a": "010",
        "b": "1_000",
        "c": "12:30",
        "d": "2020-01-01",
        "e": "on",
    }


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**12), 10**12))
def test_a_number_on_the_command_line_is_read_as_written(value: float) -> None:
    assert apply_sets({}, [f"a.b={value!r}"]) == {"a": {"b": value}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cut:\n  mins: 3\n", "`cut.mins` is not a known key; did you mean `cut.min_s`? ({path}, line 2)."),
        ("cut:\n  min_s: [1]\n", "`cut.min_s` must be a valid number, but is [1] ({path}, line 2)."),
        ("cut:\n  workers: 0\n", "`cut.workers` must be greater than or equal to 1, but is 0 ({path}, line 2)."),
        ("cut:\n  workers: '3'\n", "`cut.workers` must be a valid integer, but is '3' ({path}, line 2)."),
        ("x: 1\nx: 2\n", "`x` is given twice ({path}, line 2). Keep one of the two."),
        ("a: [", "{path}, line 1: not valid YAML"),
        ("- 1\n", "`{path}` must hold `section: …` keys, but holds a list."),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(Root, path)
    assert str(caught.value).startswith(message.format(path=path))
    assert len(str(caught.value).splitlines()) == 1


def test_the_command_line_wins_and_is_named_in_errors(tmp_path: Path) -> None:
    path = write(tmp_path, "cut:\n  min_s: 2.0\n")
    assert load_config(Root, path, ["cut.min_s=4"]).cut.min_s == 4.0
    with pytest.raises(ConfigError, match=r"\(--set cut\.min_s\)"):
        load_config(Root, path, ["cut.min_s=soon"])
    with pytest.raises(ConfigError, match=r"`cut\.min_s`.*\(--set cut\)"):
        load_config(Root, path, ["cut={min_s: soon}"])
    with pytest.raises(ConfigError, match=r"must read `section\.key=value`"):
        load_config(Root, path, ["cut.min_s"])


def test_how_the_work_is_done_is_no_part_of_the_identity() -> None:
    assert Cut(workers=7).identity() == Cut(workers=3).identity() == {"min_s": 1.0, "language": None}
    assert Cut(min_s=2).identity() != Cut().identity()


def _sections(kind: type[Config]) -> list[type[Config]]:
    inner = [field.annotation for field in kind.model_fields.values()]
    return [kind] + [s for k in inner if isinstance(k, type) and issubclass(k, Config) for s in _sections(k)]


def test_every_key_is_documented() -> None:
    bare = [
        f"{section.__name__}.{name}"
        for section in _sections(PrepConfig)
        for name in section.model_fields
        if section is not PrepConfig and not section.meanings().get(name)
    ]
    assert not bare
