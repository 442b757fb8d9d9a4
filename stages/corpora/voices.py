"""Writes a small set of recordings with transcripts, spoken by espeak-ng, for the demo and the tests.

Eight speakers (espeak-ng voice variants with their own pitch and pace) read ten sentences each, in English, German,
French or Japanese. Files are `<language>/<speaker>/<clip>.wav` with the text beside each. Synthetic speech shows that
everything runs; claims about quality need real recordings. The sentences were written for this project and share its
licence.
"""

import ctypes
import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.audio.files import write_wav
from stages.errors import UsageError, WeightsError
from stages.text import espeak

Pcm = npt.NDArray[np.int16]
"""Mono 16-bit audio, `[samples]`."""

SAMPLE_RATE = 22_050
"""Hz; the rate of espeak-ng's output."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """A speaker: an espeak-ng voice with its own pitch and pace."""

    name: str
    language: str
    voice: str
    """espeak-ng's `voice+variant`."""
    pitch: int
    """0 to 99; 50 is the variant's own."""
    pitch_range: int
    """0 (monotone) to 99; 50 is the variant's own."""
    words_per_minute: int


# No breathy variants (f2, f3, f5, …): espeak-ng seeds their noise from the clock, so they aren't reproducible.
SPEAKERS = (
    Speaker("alder", "en", "en-us+m7", 42, 55, 160),
    Speaker("birch", "en", "en-us+f4", 60, 60, 168),
    Speaker("esche", "de", "de+m8", 34, 50, 158),
    Speaker("linde", "de", "de+Annie", 55, 60, 165),
    Speaker("cedre", "fr", "fr+Nguyen", 50, 45, 165),
    Speaker("olive", "fr", "fr+grandma", 38, 65, 172),
    Speaker("matsu", "ja", "ja+max", 58, 50, 160),
    Speaker("sakura", "ja", "ja+steph", 74, 60, 170),
)

READINGS = {
    "今朝は早く起きて、庭の花に水をやりました。": "けさわ はやく おきて、にわの はなに みずを やりました。",
    "駅の前の小さな店で、温かいお茶を飲みました。": "えきの まえの ちいさな みせで、あたたかい おちゃを のみました。",
    "坂を登ると、遠くの海がきれいに見えます。": "さかを のぼると、とおくの うみが きれいに みえます。",
    "妹は毎日ピアノを練習しています。": "いもうとわ まいにち ぴあのを れんしゅうして います。",
    "雨が降っているので、傘を持って行きましょう。": "あめが ふって いるので、かさを もって いきましょう。",
    "この道をまっすぐ行くと、古い橋があります。": "この みちを まっすぐ いくと、ふるい はしが あります。",
    "昨日の夜、友だちと一緒に映画を見ました。": "きのうの よる、ともだちと いっしょに えいがを みました。",
    "魚が好きな猫は、台所で静かに待っています。": "さかなが すきな ねこわ、だいどころで しずかに まって います。",
    "春になると、川の近くで桜が咲きます。": "はるに なると、かわの ちかくで さくらが さきます。",
    "電車が遅れたので、手紙を読みながら待ちました。": "でんしゃが おくれたので、てがみを よみながら まちました。",
}
"""Kana of each Japanese sentence, because espeak-ng can't read kanji."""

SENTENCES = {
    "en": (
        "The old lighthouse keeper counted seven ships beyond the harbour wall.",
        "She poured the tea slowly and watched the steam curl towards the window.",
        "Why would anyone choose to walk home through such a heavy storm?",
        "My brother fixed the broken chair with glue, string and a little patience.",
        "The children laughed as the brown puppy chased its own shadow.",
        "We usually measure the garden twice before we dig a single hole.",
        "On Thursday the village choir sang a joyful song about the mountains.",
        "Please leave the yellow boxes beside the kitchen door this evening.",
        "A good question is often worth more than a quick and easy answer.",
        "The train to the coast was full, so they shared a narrow bench.",
    ),
    "de": (
        "Der Bäcker öffnet seinen Laden jeden Morgen um kurz nach fünf.",
        "Wir haben gestern am Fluss gesessen und den Booten zugesehen.",
        "Kannst du mir bitte sagen, wo der nächste Bahnhof ist?",
        "Die Großmutter erzählte den Kindern eine Geschichte über einen klugen Fuchs.",
        "Im Herbst färben sich die Blätter rot, gelb und braun.",
        "Er hat das Fenster geschlossen, weil es draußen zu laut war.",
        "Zwischen den Häusern spielt eine schwarze Katze mit einem Knopf.",
        "Das Wetter wird morgen besser, und dann fahren wir ans Meer.",
        "Meine Schwester übt jeden Abend eine halbe Stunde Geige.",
        "Niemand wusste, warum die Glocke mitten in der Nacht läutete.",
    ),
    "fr": (
        "Le vieux jardinier arrose les roses avant que le soleil se lève.",
        "Nous avons trouvé une petite clé sous le tapis de l'entrée.",
        "Est-ce que tu peux m'aider à porter cette valise jusqu'au train ?",
        "La boulangère nous a donné un pain encore chaud ce matin.",
        "Quand il pleut, les enfants regardent les nuages par la fenêtre.",
        "Mon oncle joue de la guitare tous les dimanches dans la cuisine.",
        "Il faut traverser le pont pour arriver au marché du village.",
        "Cette chanson me rappelle un long voyage au bord de la mer.",
        "Les oiseaux chantent doucement dans le grand chêne derrière la maison.",
        "Elle a choisi un manteau vert et des gants en laine brune.",
    ),
    "ja": tuple(READINGS),
}
"""The sentences by language, in the order in which its speakers read them."""

PAUSE_S = 0.1
"""Silence before and after each sentence."""


def clips() -> Iterator[tuple[str, Speaker, str]]:
    """Yields each clip in order: its path below the folder without the suffix, its speaker, its text."""
    for speaker in SPEAKERS:
        for number, text in enumerate(SENTENCES[speaker.language], start=1):
            yield f"{speaker.language}/{speaker.name}/{speaker.name}_{number:02d}", speaker, text


def write_voices(folder: Path) -> list[Path]:
    """Writes the recordings and their transcripts. Every call writes the same bytes.

    Args:
        folder: Created if missing. If this function wrote it before, its files are written again.

    Returns:
        Paths of the recordings: mono 16-bit WAV at 22,050 Hz, 2 to 5 s each, with the text beside each as `.txt`.

    Raises:
        UsageError: if the folder can't be created, or holds any other file.
        WeightsError: if espeak-ng is missing or can't speak.
    """
    _check_folder(folder)
    spoken = _speak_in_fresh_process()
    paths = []
    for clip, _, text in clips():
        path = folder / f"{clip}.wav"
        write_wav(path, spoken[clip].astype(np.float32) / np.float32(32_768), SAMPLE_RATE)
        path.with_suffix(".txt").write_text(text + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"`{folder}` can't be created: {error.strerror}. Give another folder.") from error
    ours = {folder / f"{clip}{suffix}" for clip, _, _ in clips() for suffix in (".wav", ".txt")}
    others = sorted(path for path in folder.rglob("*") if path not in ours and not path.is_dir())
    if others:
        raise UsageError(
            f"`{folder}` must be empty or hold only what this command wrote, but holds `{others[0]}`."
            " Give a new folder."
        )


def _speak_in_fresh_process() -> dict[str, Pcm]:
    """Returns the audio of every clip. A fresh process is needed because espeak-ng's output depends on its state."""
    child = subprocess.run(
        [sys.executable, "-m", "stages.corpora.voices"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        check=False,
    )
    if child.returncode:
        last = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise WeightsError(
            f"espeak-ng must speak the sentences, but failed with exit code {child.returncode}: {''.join(last)}"
            " Run `pip install --force-reinstall espeakng-loader`."
        )
    with np.load(io.BytesIO(child.stdout), allow_pickle=False) as spoken:
        return dict(spoken)


class _Espeak:
    """Speech synthesis by espeak-ng's C interface (speak_lib.h). Its state is global: one instance per process."""

    _SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
    _RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
    _UTF8, _BY_CHARACTER = 1, 1

    def __init__(self) -> None:
        library, data = espeak.locate()
        self._library = ctypes.CDLL(str(library))
        rate = self._library.espeak_Initialize(self._SYNCHRONOUS, 500, str(data).encode(), self._DONT_EXIT)
        if rate != SAMPLE_RATE:
            raise WeightsError(f"espeak-ng must speak at {SAMPLE_RATE} Hz, but speaks at {rate} Hz.")
        self._chunks: list[Pcm] = []
        signature = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = signature(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)

    def _collect(self, samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(self, speaker: Speaker, text: str) -> Pcm:
        """Returns the speech, `[samples]` at `SAMPLE_RATE`."""
        if self._library.espeak_SetVoiceByName(speaker.voice.encode()):
            raise WeightsError(f"`{speaker.voice}` must be a voice of espeak-ng, but isn't.")
        parameters = {self._RATE: speaker.words_per_minute, self._VOLUME: 100}
        parameters |= {self._PITCH: speaker.pitch, self._RANGE: speaker.pitch_range}
        for parameter, value in parameters.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        self._chunks.clear()
        data = text.encode()
        self._library.espeak_Synth(data, len(data) + 1, 0, self._BY_CHARACTER, 0, self._UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._chunks)


def _speak_all() -> dict[str, Pcm]:
    voice = _Espeak()
    pause = round(PAUSE_S * SAMPLE_RATE)
    return {clip: np.pad(voice.speak(speaker, READINGS.get(text, text)), pause) for clip, speaker, text in clips()}


if __name__ == "__main__":
    archive = io.BytesIO()
    np.savez(archive, allow_pickle=False, **_speak_all())
    sys.stdout.buffer.write(archive.getvalue())
