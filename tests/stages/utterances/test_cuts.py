import pytest

from stages.records import Certainty, Segment
from stages.utterances.cuts import Limits, join


def heard(start: int, end: int, logprob: float | None) -> Segment:
    sure = None if logprob is None else Certainty(logprob, 0.0, 1.0, "en")
    return Segment(start, end, f"said at {start}", "en", certainty=sure)


def test_a_piece_heard_with_far_more_doubt_isnt_joined_to_a_sure_one() -> None:
    limits = Limits(shortest=100, longest=2000, join=300, gap=150, margin=0)
    pieces = [heard(0, 600, -0.1), heard(600, 800, -0.9), heard(800, 1000, -0.8), heard(1000, 1500, -0.3)]
    assert [piece.text for piece in join(pieces, limits)] == [
        "said at 0",
        "said at 600 said at 800",
        "said at 1000",
    ]
    for alike in (-0.4, None):  # nearly as sure, or a text of people
        assert len(join([pieces[0], heard(600, 800, alike)], limits)) == 1


@pytest.mark.parametrize(("first", "second", "cuts"), [(-0.64, -0.66, 2), (-0.66, -0.7, 1), (-0.65, -0.6, 1)])
def test_a_piece_that_is_left_out_takes_none_with_it(first: float, second: float, cuts: int) -> None:
    limits = Limits(shortest=100, longest=2000, join=300, gap=150, margin=0)
    for pair in ((first, second), (second, first)):
        pieces = [heard(0, 200, pair[0]), heard(200, 400, pair[1])]
        assert len(join(pieces, limits)) == cuts
