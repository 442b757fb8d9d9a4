"""The settings of the guards, and what they refuse."""

import pytest

from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import GREEDY, Sampling
from model.inference.guards.guard import OFF, Guard, draws
from stages.errors import UsageError


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"retries": -1}, "`retries` must be 0 (off) to 20, but is -1."),
        ({"retries": 21}, "`retries` must be 0 (off) to 20, but is 21."),
        ({"best_of": 0}, "`best_of` must be 1 (off) to 64, but is 0."),
        ({"best_by": "ear"}, "`best_by` must be logprob, stt or whisper:FOLDER, but is `ear`."),
        ({"best_by": "whisper:"}, "`best_by` must be logprob, stt or whisper:FOLDER, but is `whisper:`."),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as raised:
        Guard(**values)  # type: ignore[arg-type]
    assert str(raised.value) == told


def test_it_stops_faulty_responses_only_where_others_may_take_their_place() -> None:
    assert Guard().stops
    assert Guard(retries=0, best_of=2).stops
    assert not OFF.stops
    assert Guard(best_by="whisper:models/tiny").whisper == "models/tiny"
    assert Guard(best_by="stt").whisper == ""


GREEDY_MASKED = Decoding("nar-len", unmasking=Unmasking(sampling=GREEDY))


@pytest.mark.parametrize(
    ("guard", "decoding", "told"),
    [
        (Guard(best_of=4), Decoding(ar=GREEDY), "`best_of` must be 1, but is 4: nothing is drawn"),
        (Guard(best_of=4), Decoding(beam_width=2), "nothing is drawn in the first codebook (ar, beam of 2"),
        (Guard(best_of=4, best_by="stt"), GREEDY_MASKED, "nothing is drawn"),
        (Guard(best_of=4), Decoding("nar-len"), "`best_by` must be stt or whisper:FOLDER with the mode `nar-len`"),
    ],
)
def test_the_best_of_responses_that_would_be_the_same_or_cannot_be_told_apart_is_refused(
    guard: Guard, decoding: Decoding, told: str
) -> None:
    with pytest.raises(UsageError) as raised:
        guard.check(decoding)
    assert told in str(raised.value)


def test_what_can_be_chosen_is_allowed() -> None:
    for decoding in (Decoding(ar=GREEDY), Decoding("nar-len"), Decoding(beam_width=2), GREEDY_MASKED):
        Guard().check(decoding)
    Guard(best_of=4).check(Decoding())
    Guard(best_of=4, best_by="stt").check(Decoding("nar-len"))
    Guard(best_of=4, best_by="whisper:x").check(Decoding("nar-len"))
    assert draws(Decoding(ar=Sampling(0.0, ras_window=10)))
