"""What people and programs write for sounds that aren't words, in brackets of all kinds."""

import re

_VOCAL = """
laugh laughs laughed laughing laughter chuckle chuckles chuckled chuckling giggle giggles giggling snicker snickers
sigh sighs sighed sighing cough coughs coughed coughing sneeze sneezes sneezing sniff sniffs sniffing sniffle sniffles
sniffling sob sobs sobbing crying cries weeping weeps gasp gasps gasping groan groans groaning moan moans moaning yawn
yawns yawning breath breathes breathing inhale inhales inhaling exhale exhales exhaling panting scoffs snort snorts
grunt grunts grunting screams screaming shouts shouting yells yelling whimpers whimpering hiccup hiccups burp burps
shushes tsk smacks smacking lipsmack applause applauding applauds cheers cheering clapping whistles whistling hums
humming music musical noise noises silence pause murmurs murmuring mumbles mumbling mutters muttering whispers
whispering instrumental throat
lacht lachen lachend gelächter musik applaus geräusch geräusche räuspern räuspert husten hustet seufzt seufzen
rires rire musique applaudissements soupir soupire tousse bruits risas risa ríe música aplausos suspira suspiro
risate risata musica applausi sospira sospiro rumore rumori risos suspiros ruído ruídos
gelach muziek skratt skrattar applåder suckar śmiech śmieje muzyka oklaski westchnienie kaszel
смех смеётся музыка аплодисменты вздох вздыхает кашель шум
笑 笑い 笑う 笑声 音楽 拍手 咳 ため息 溜息 歓声 笑聲 音乐 音樂 掌声 掌聲 叹气 嘆氣 咳嗽 웃음 음악 박수 한숨 기침
"""
"""Words that mean a sound of people or music, or none; seldom anything else when they stand in brackets alone."""

_OTHER = """
silent static beep beeps beeping bleep bleeps bleeped buzz buzzes buzzing buzzer ringing rings chime chimes chiming
footsteps knock knocks knocking thud thuds thump thumps crash crashes crashing clatter clattering click clicks clicking
creak creaks creaking slams bang bangs hiss hisses hissing rustle rustles rustling rumble rumbling explosion explosions
gunshot gunshots gunfire siren sirens honk honks honking barking barks meows chirping chirps chatter chattering jingle
ringtone clap claps booing boos whoops whistle hum gulp gulps swallows snore snores snoring murmur whisper smack pants
scoff scream shout yell conversation breathe vocalized vocalised vocnoise ambience ambiance bg bgm sfx sil sic eps
stille bruit rit toux ruido ruidos silencio ride tosse silenzio ri silêncio lacht zucht hoest geluid hostar brawa
тишина 沈黙 無音 沉默 침묵
"""
"""Words that mean a sound in captions and in square brackets, but that prose may hold in round ones."""

_AROUND = """
audience crowd everyone everybody all both man woman men women he she they people children child baby dog phone
telephone door bell car engine computer off-screen offscreen softly loudly quietly nervously lightly briefly heavily
deeply sharply again playing plays continues continuing stops starts begins ends fades fading out off on over in up
background distant loud soft quiet upbeat dramatic gentle tense light heavy long short brief slight slow indistinct
slowly mouth lip lips
nose breath his her their my tongue clears clearing cleared clear sound sounds of with through
sich im hintergrund leise laut kurz spielt klatschen de fond la le les du des en al fondo di sottofondo se suave
und et y e a blank audio event human vocal non-speech nonspeech speech-noise
"""

_SURE = frozenset(_VOCAL.split())
_SOUNDS = _SURE | frozenset(_OTHER.split())
_BESIDE = frozenset(_AROUND.split())
_WORD = re.compile(r"[^\W\d]+(?:['’.-][^\W\d]+)*")
_PARTS = re.compile(r"[-_]")
_ACRONYM = 5
"""Letters. A single word in capitals that is no longer may be an acronym, as in `the agency (NASA)`."""
_MOST = 6
"""Words of the longest description of a sound."""

_NOT_DOING = re.compile(
    r"(?:includ|exclud|mean|depend|accord|follow|be|dur|assum|consider|concern|regard|noth|someth|anyth|everyth|morn|even"
    r"|th|k|spr|str|w|br|hav|do|go|say|sometim)ing\b",
    re.IGNORECASE,
)
_LANGUAGES = (
    "english|french|german|spanish|italian|russian|japanese|chinese|mandarin|cantonese|arabic|hebrew|latin|hindi|korean"
    "|portuguese|dutch|swedish|norwegian|danish|polish|greek|turkish|vietnamese|thai|foreign language|native language"
    "|deutsch|englisch|französisch|spanisch|français|anglais|allemand|español|inglés"
)
_MANNER = re.compile(rf"(?:in|with|auf|en)\s+(?:an?\s+)?(?:\w+\s+)?(?:accent|voice|unison|{_LANGUAGES})", re.IGNORECASE)
_UNHEARD = re.compile(
    r"(?:unk|spn|oov|unintelligible|inaudible|indiscernible|incomprehensible|unverständlich|ininteligible|incomprensible"
    r"|incompréhensible|indistinct|crosstalk|聞き取れない|听不清|聽不清|spoken_noise)"
    r"(?: (?:speech|words?|dialogue|phrase))?(?:[ @]*\d[\d:.,]*)?",
    re.IGNORECASE,
)
_UNWRITTEN = re.compile(
    rf"(?:unclear|overlapping|censored|expletive|redacted|foreign|pii|_{{2,}}|\?+|x{{3,}}|\*{{2,}}"
    rf"|(?:speaks?|speaking|speaking in|singing in)\s+(?:\w+\s+)?(?:{_LANGUAGES})"
    r"|[a-z]+(?:_[a-z]+)*_(?:name|number|date|age|address|password|cvv|expiration))"
    r"(?: (?:speech|words?|dialogue))?(?:[ @]*\d[\d:.,]*)?",
    re.IGNORECASE,
)


def is_unheard(inside: str, *, prose: bool) -> bool:
    """Returns whether what a bracket holds stands for speech that wasn't written down.

    Args:
        inside: What it holds.
        prose: Whether it is a round bracket in prose, where `(unclear)` and `(?)` are remarks of the writer.
    """
    inside = inside.strip(" \u00a0.:!")
    return _UNHEARD.fullmatch(inside) is not None or (not prose and _UNWRITTEN.fullmatch(inside) is not None)


def is_sound(inside: str, *, prose: bool = False) -> bool:
    """Returns whether what a bracket holds describes a sound: words of the lists alone, in lower or upper case.

    Args:
        inside: What it holds.
        prose: Whether it is a round bracket in prose: then fewer words mean a sound.
    """
    words = [part for word in _WORD.findall(inside) for part in _PARTS.split(word.casefold()) if part]
    sounds = _SURE if prose else _SOUNDS
    return (
        0 < len(words) <= _MOST
        and not re.search(r"\d", inside)
        and all(word in sounds or word in _BESIDE for word in words)
        and any(word in sounds for word in words)
    )


def is_description(inside: str) -> bool:
    """Returns whether a bracket within a caption describes a sound or a manner of speaking, by its form.

    That is `is_sound`, two words or more in capitals, `in French`, or up to three words that begin with what somebody
    is doing, as in `clearing his throat`.
    """
    words = _WORD.findall(inside)
    if is_sound(inside) or _MANNER.fullmatch(inside.strip()):
        return True
    if not words or re.search(r"\d", inside):
        return False
    if inside.upper() == inside and inside.lower() != inside and (len(words) > 1 or len(words[0]) > _ACRONYM):
        return True
    doing = words[0].lower().endswith("ing") and not _NOT_DOING.match(words[0])
    return doing and len(words) <= 3 and words[0][0].islower()
