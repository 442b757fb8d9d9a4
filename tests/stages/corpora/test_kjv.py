import pytest

from stages.corpora.kjv import read_verses
from stages.errors import MissingInputError, UsageError


def test_whole_sentences_of_verses(tmp_path):
    path = tmp_path / "kjv.txt"
    path.write_text(
        "Ge1:1 In the beginning God created the heaven and the earth.\n"
        "1Sm14:36 And he said, Let us go. And they said, Do so:\n"
        "\n"
        "Psa23:1 [A Psalm of David.] The LORD is my shepherd; I shall not want.\n"
        "Joel2:2 and began in the middle of a sentence,\n",
        encoding="utf-8",
    )
    assert [(verse.name, verse.text) for verse in read_verses(path)] == [
        ("ge-1-1-1", "In the beginning God created the heaven and the earth."),
        ("1sm-14-36-1", "And he said, Let us go."),
        ("1sm-14-36-2", "And they said, Do so."),
    ]


def test_what_isnt_verses_is_refused(tmp_path):
    path = tmp_path / "kjv.txt"
    with pytest.raises(MissingInputError, match="can't be read"):
        read_verses(path)
    path.write_text("")
    with pytest.raises(UsageError, match="holds none"):
        read_verses(path)
    path.write_text("Ge1:1 In the beginning.\nThe end.\n")
    with pytest.raises(UsageError, match=r"line 2 .*'The end\.'"):
        read_verses(path)
