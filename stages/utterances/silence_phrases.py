"""What whisper writes where nobody speaks: the phrases that end the videos from whose subtitles it learnt.

`CREDITS` stand only in subtitles: a text that holds one is invented. `OUTROS` may be said, so a text is invented only
if it holds little else. `FAREWELLS` are said every day: they count only where another sign says that nobody spoke.
"""

import re
import unicodedata
from collections.abc import Mapping

from stages.text.languages import LANGUAGES

_CREDITS = (
    *("amara.org", "opensubtitles.org", "dimatorzok", "castingwords", "subtitles by the", "mooji.org", "ai-media"),
    *("untertitel im auftrag des", "untertitelung im auftrag des", "untertitelung des zdf", "stephanie geiges"),
    *("sous-titrage st 501", "sous-titrage société", "sous-titreur.com", "qtss", "nicolai winther", "svensktextning"),
    *("titulky vytvořil", "authorwave", "редактор субтитров", "субтитры создавал", "субтитры сделал", "altyazı m.k"),
    *(
        "字幕by",
        "字幕由",
        "字幕志愿者",
        "字幕志願者",
        "索兰娅",
        "明镜与点点",
        "明鏡與點點",
        "优优独播剧场",
        "優優獨播劇場",
        "한국어 자막 by",
    ),
)
_OUTROS: Mapping[str, tuple[str, ...]] = {
    "en": (
        *("thanks for watching", "thank you for watching", "thank you so much for watching", "thanks for listening"),
        *("subscribe to my channel", "subscribe to our channel", "please subscribe", "like and subscribe"),
        *("give us a thumbs up", "give this video a thumbs up", "see you in the next video", "see you next time"),
        *("dont forget to subscribe", "if you enjoyed this video", "ill see you in the next one", "captions by"),
    ),
    "de": (
        *("untertitel der", "untertitel von", "copyright wdr", "swr 2020", "swr 2021", "vielen dank fürs zuschauen"),
        *("danke fürs zuschauen", "abonniert den kanal", "abonniert meinen kanal", "bis zum nächsten video"),
    ),
    "fr": (
        *("sous-titres réalisés par", "sous-titres par", "sous-titrage", "merci davoir regardé cette vidéo"),
        *("abonnez-vous à la chaîne", "abonnez-vous", "à bientôt pour une nouvelle vidéo", "merci davoir regardé"),
    ),
    "es": (
        *(
            "subtítulos realizados por",
            "subtítulos por la comunidad",
            "gracias por ver el video",
            "suscríbete al canal",
        ),
        *("gracias por ver el vídeo", "no olvides suscribirte", "nos vemos en el próximo video", "suscríbete"),
    ),
    "it": (
        *("sottotitoli creati dalla comunità", "sottotitoli e revisione a cura di", "sottotitoli a cura di"),
        *("grazie per aver guardato il video", "grazie per la visione", "iscriviti al canale", "iscrivetevi al canale"),
    ),
    "pt": (
        *("legendas pela comunidade", "legenda por", "obrigado por assistir", "obrigada por assistir"),
        *("inscreva-se no canal", "se inscreva no canal", "até o próximo vídeo"),
    ),
    "nl": (
        "ondertiteld door de",
        "ondertiteling door de",
        "ondertitels ingediend door",
        "tv gelderland",
        "bedankt voor het kijken",
    ),
    "pl": ("napisy stworzone przez", "napisy wykonane przez", "dziękuję za oglądanie", "zapraszam do subskrypcji"),
    "ru": (
        "спасибо за просмотр",
        "подписывайтесь на канал",
        "подпишись на канал",
        "ставьте лайки",
        "субтитры подогнал",
    ),
    "uk": ("дякую за перегляд", "дякуємо за перегляд", "підписуйтесь на канал"),
    "cs": ("děkuji za sledování", "děkuji za pozornost a sledování", "odebírejte kanál"),
    "da": ("danske tekster af", "tekster af", "tak fordi i så med"),
    "no": ("undertekster av", "teksting av", "takk for at du så på", "takk for at dere så på"),
    "sv": ("undertexter från", "textning stina hedin", "tack för att ni tittade", "tack för att du tittade"),
    "fi": ("tekstitys", "kiitos katsomisesta", "kiitos että katsoit"),
    "hu": ("köszönöm hogy megnézted a videót", "köszönöm hogy megnézted", "feliratozta"),
    "ro": ("subtitrare", "vă mulțumim pentru vizionare", "mulțumesc pentru vizionare", "abonați-vă la canal"),
    "tr": ("izlediğiniz için teşekkür ederim", "izlediğiniz için teşekkürler", "abone olmayı unutmayın"),
    "el": ("υπότιτλοι", "ευχαριστώ που παρακολουθήσατε"),
    "hi": ("देखने के लिए धन्यवाद", "चैनल को सब्सक्राइब करें", "चैनल को सब्सक्राइब"),
    "ja": (
        *(
            "ご視聴ありがとうございました",
            "ご視聴ありがとうございます",
            "ご視聴いただきありがとうございます",
            "ご視聴いただき",
        ),
        *(
            "ご清聴ありがとうございました",
            "チャンネル登録をお願いいたします",
            "チャンネル登録",
            "次の動画でお会いしましょう",
            "最後まで",
        ),
    ),
    "zh": (
        *(
            "谢谢观看",
            "感谢观看",
            "謝謝觀看",
            "感謝觀看",
            "谢谢收看",
            "謝謝收看",
            "请不吝点赞订阅转发打赏",
            "請不吝點贊訂閱轉發打賞",
        ),
        *("请不吝点赞", "請不吝點贊", "中文字幕", "字幕", "李宗盛"),
    ),
    "ko": (
        "시청해주셔서 감사합니다",
        "시청해 주셔서 감사합니다",
        "구독과 좋아요 부탁드립니다",
        "구독과 좋아요",
        "자막 제공",
        "mbc 뉴스 이덕영입니다",
        "mbc 뉴스 김수영입니다",
    ),
}
_FAREWELLS: Mapping[str, tuple[str, ...]] = {
    "en": ("you", "thank you", "thank you very much", "thanks", "bye", "bye bye", "okay", "so", "oh", "hmm", "the end"),
    "de": ("vielen dank", "danke", "danke schön", "tschüss", "bis zum nächsten mal", "das wars"),
    "fr": ("merci", "merci beaucoup", "au revoir", "à bientôt"),
    "es": ("gracias", "muchas gracias", "adiós", "hasta la próxima"),
    "it": ("grazie", "grazie a tutti", "ciao", "arrivederci"),
    "pt": ("obrigado", "obrigada", "tchau", "até a próxima"),
    "nl": ("dank je", "dank u wel", "bedankt", "tot de volgende keer"),
    "pl": ("dziękuję", "dziękuję bardzo", "do zobaczenia"),
    "ru": ("продолжение следует", "спасибо", "спасибо за внимание", "пока"),
    "uk": ("дякую", "дякую за увагу", "до зустрічі"),
    "cs": ("děkuji", "na shledanou"),
    "da": ("tak", "mange tak", "farvel"),
    "no": ("takk", "tusen takk", "ha det"),
    "sv": ("tack", "tack så mycket", "hej då"),
    "fi": ("kiitos", "näkemiin"),
    "hu": ("köszönöm", "köszönöm szépen", "viszlát"),
    "ro": ("mulțumesc", "la revedere"),
    "tr": ("teşekkürler", "teşekkür ederim", "görüşürüz"),
    "el": ("ευχαριστώ", "γεια σας"),
    "hi": ("धन्यवाद", "नमस्ते"),
    "ja": ("ありがとうございました", "ありがとうございます", "おやすみなさい", "ん", "はい"),
    "zh": ("谢谢", "謝謝", "谢谢大家", "再见", "嗯"),
    "ko": ("감사합니다", "고맙습니다", "안녕히 계세요", "네"),
}
_MARKS = re.compile(r"[^\w.-]+")
_MOSTLY = 0.6
"""Share of a text's letters from which on outros are all that it says."""


def _plain(text: str) -> str:
    """Returns a text in lower case, without the marks that whisper may or may not write."""
    folded = unicodedata.normalize("NFKC", text).casefold().replace("'", "").replace("’", "")
    return " ".join(word.strip(".-") for word in _MARKS.sub(" ", folded).split() if word.strip(".-"))


def _pattern(told: tuple[str, ...], language: str) -> re.Pattern[str]:
    """Returns a pattern of phrases: longer ones first, as whole words where words are spaced."""
    bound = r"\b" if not language or LANGUAGES[language].spaced else ""
    parts = sorted({_plain(one) for one in told}, key=len, reverse=True)
    return re.compile("|".join(f"{bound}{re.escape(part)}" for part in parts))


CREDITS = re.compile("|".join(re.escape(_plain(one)) for one in _CREDITS))
"""What only subtitles say, in any language."""
OUTROS: Mapping[str, re.Pattern[str]] = {code: _pattern(told, code) for code, told in _OUTROS.items()}
"""Language -> phrases that are invented where they are (nearly) all of a text."""
FAREWELLS: Mapping[str, frozenset[str]] = {code: frozenset(map(_plain, told)) for code, told in _FAREWELLS.items()}
"""Language -> whole texts that whisper also writes where nobody speaks."""


def silence_phrase(text: str, language: str) -> str:
    """Returns the phrase of silence that a text holds, or consists of; "" if there is none."""
    plain = _plain(text)
    if credit := CREDITS.search(plain):
        return credit[0]
    outros = OUTROS.get(language)
    found = outros.findall(plain) if outros else []
    letters = sum(map(str.isalnum, plain))
    covered = sum(sum(map(str.isalnum, phrase)) for phrase in found)
    return found[0] if found and covered >= _MOSTLY * letters else ""


def is_farewell(text: str, language: str) -> bool:
    """Returns whether a whole text is one that whisper also writes where nobody speaks."""
    return _plain(text) in FAREWELLS.get(language, frozenset())
