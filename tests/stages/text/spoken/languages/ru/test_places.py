"""Russian numbers that are a place in a row, days from one to another, and what asks for the instrumental."""

import pytest

from stages.text.phonemes import in_words


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("на 3 этаже", "на третьем этаже"),
        ("в 5 классе", "в пятом классе"),
        ("в 7 главе", "в седьмой главе"),
        ("с 5 страницы", "с пятой страницы"),
        ("из 12 квартиры", "из двенадцатой квартиры"),
        ("до 3 этажа", "до третьего этажа"),
        ("11 век", "одиннадцатый век"),
        ("1 класс", "первый класс"),
        # counted, not placed
        ("3 этажа", "три этажа"),
        ("22 группы", "двадцать две группы"),
        ("5 этажей", "пять этажей"),
        ("21 том", "двадцать один том"),
        ("в 2 группах", "в двух группах"),
        ("0 класс", "ноль класс"),
        # days
        ("с 1 по 5 июня", "с первого по пятое июня"),
        ("со 2 до 7 мая", "со второго до седьмого мая"),
        ("с 40 по 45 мая", "с сорока по сорок пять мая"),
        # the instrumental
        ("между 2 и 3", "между двумя и тремя"),
        ("перед 5 уроками", "перед пятью уроками"),
    ],
)
def test_the_case_is_told_by_the_words_around_a_number(written: str, spoken: str) -> None:
    assert in_words(written, "ru") == spoken
