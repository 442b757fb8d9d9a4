"""Japanese numbers with their counters, in kana."""

import pytest

from stages.text.counters import read_number

WHOLE = """
一本 いっぽん 二本 にほん 三本 さんぼん 六本 ろっぽん 八本 はっぽん 十本 じゅっぽん 百本 ひゃっぽん 千本 せんぼん
三匹 さんびき 一分 いっぷん 三分 さんぷん 四分 よんぷん 五分 ごふん 六分 ろっぷん 十五分 じゅうごふん 三十分間
さんじゅっぷんかん 十分間 じゅっぷんかん 一つ ひとつ 九つ ここのつ 三つ目 みっつめ 一人 ひとり 二人 ふたり 四人
よにん 十四人 じゅうよにん 九人 きゅうにん 二人分 ふたりぶん 二十歳 はたち 一歳 いっさい 八歳 はっさい 三十四歳
さんじゅうよんさい 四月 しがつ 七月 しちがつ 九月 くがつ 十二月 じゅうにがつ 二日 ふつか 八日 ようか 十四日
じゅうよっか 二十日 はつか 二十四日 にじゅうよっか 十七日 じゅうしちにち 三十一日 さんじゅういちにち 四時 よじ 七時
しちじ 九時 くじ 零時 れいじ 三時半 さんじはん 三時頃 さんじごろ 十四時間 じゅうよじかん 三百円 さんびゃくえん 四円
よえん 六百円 ろっぴゃくえん 八百円 はっぴゃくえん 三千円 さんぜんえん 八千円 はっせんえん 一万円 いちまんえん
一千万円 いっせんまんえん 三階 さんがい 三軒 さんげん 三足 さんぞく 一階建て いっかいだて 十羽 じゅっぱ 三羽 さんば
一羽 いちわ 四か月 よんかげつ 六か月 ろっかげつ 一週間 いっしゅうかん 三回目 さんかいめ 十ページ じゅっぺーじ
八パーセント はっぱーせんと 六キロ ろっきろ 十センチメートル じゅっせんちめーとる 第三回 だいさんかい 第一 だいいち
十四世紀 じゅうよんせいき 二〇二四年 にせんにじゅうよねん 二三人 にさんにん 数百人 すうひゃくにん 何冊 なんさつ
三本の さんぼん 一兆円 いっちょうえん 十兆 じゅっちょう 三点五倍 さんてんごばい 零点五秒 れいてんごびょう
一億二千三百四十五万六千七百 いちおくにせんさんびゃくよんじゅうごまんろくせんななひゃく 三対二 さんたい 一通り
ひととおり 二通り ふたとおり
"""


@pytest.mark.parametrize(("written", "kana"), list(zip(WHOLE.split()[::2], WHOLE.split()[1::2], strict=True)))
def test_numbers_are_read_with_their_counters(written: str, kana: str) -> None:
    number = read_number(written, 0)
    assert number is not None
    assert number.kana == kana
    assert written[number.end :] in {"", "の", "二"}


@pytest.mark.parametrize(
    ("text", "at", "kana"),
    [
        ("十時十分", 2, "じゅっぷん"),
        ("三分の一", 0, "さんぶん"),
        ("十分の一", 0, "じゅうぶん"),
        ("三月一日", 2, "ついたち"),
        ("一日三回", 0, "いちにち"),
        ("一日から", 0, "ついたち"),
        ("千九百九十年生まれ", 0, "せんきゅうひゃくきゅうじゅうねん"),
        ("一日本", 0, "いち"),
    ],
)
def test_what_stands_around_a_number_decides(text: str, at: int, kana: str) -> None:
    number = read_number(text, at)
    assert number is not None
    assert number.kana == kana


@pytest.mark.parametrize("text", ["十分", "万歳", "五分五分", "一体", "数", "何", "本", "第", ""])
def test_words_are_no_numbers(text: str) -> None:
    assert read_number(text, 0) is None


def test_a_number_alone_may_be_a_word() -> None:
    sure = {text: number.sure for text in ("七五三", "一", "二十", "三本", "第五") if (number := read_number(text, 0))}
    assert sure == {"七五三": False, "一": False, "二十": True, "三本": True, "第五": True}
