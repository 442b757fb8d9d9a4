"""The keys under which a shard finds an item's outcomes again: those that datasets already hold."""

from enum import StrEnum
from typing import Any

import pytest

from pipeline.runner.shard import _key
from stages.artefacts.manifest import digest_of


class Kind(StrEnum):
    A = "a"


@pytest.mark.parametrize(
    "parameters",
    [
        [1, 1.0, True, None, "é", {"b": [], "a": (1, 2)}],
        [1],
        [1.0],
        [True],
        {"z": 1, "a": {"y": 2, "b": '\U0001f600 "quoted"'}},
        [Kind.A],
        "",
    ],
)
def test_a_key_is_the_digest_of_its_parts(parameters: Any) -> None:
    for _ in range(2):
        assert _key(3, "", parameters, "00ff") == digest_of([3, parameters, "00ff"])[:32]
        assert _key(3, '"basis",', parameters, "00ff") == digest_of([3, "basis", parameters, "00ff"])[:32]
