"""What was taken out of the texts is summed up over the shards."""

import json

from stages.records import Taken
from stages.transcripts.summary import in_one_line, read_taken, write_taken


def test_the_sum_of_the_shards(tmp_path):
    rows = [
        [{"taken": [Taken("sounds", 3, ("[Music]", "(laughs)")).to_json()]}, {}],
        [{"taken": [Taken("sounds", 1, ("(laughs)",)).to_json(), Taken("repeats", 1200).to_json()]}],
    ]
    for number, of in enumerate(rows):
        (tmp_path / f"{number}.rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in of))
    found = write_taken(tmp_path, ["0", "1"])
    assert found == [Taken("repeats", 1200), Taken("sounds", 4, ("(laughs)", "[Music]"))]
    assert read_taken(tmp_path) == found
    assert in_one_line(found) == "repeats 1,200; sounds 4 ((laughs), [Music])"
    assert read_taken(tmp_path / "nowhere") == []
