"""How the texts of a dataset were read."""

from pipeline.report.readings import Readings, rows_of


def test_texts_in_other_words_and_unread_ones_are_counted() -> None:
    english, german = Readings(), Readings()
    english.add({"id": "a", "text": "Hi."})
    english.add({"id": "b", "spoken": "five"})
    english.add({"id": "c", "unread": ["я", "☃"]})
    english.add({"id": "d", "unread": ["я"], "spoken": "six"})
    german.add({"id": "e", "text": "Ja."})
    assert rows_of({"de": german, "en": english}) == [
        {"language": "en", "spoken": 2, "unread": 2, "signs": "я ☃", "example": "c"}
    ]
