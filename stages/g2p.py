"""g2p: turns text into phonemes (IPA) with espeak-ng.

What is written in digits, signs and abbreviations is put into words first, as people say it (`stages.text.spoken`); the
words are kept beside the text. Words of `g2p.lexicon`, and phonemes in a text (`[[həlˈoʊ]]`), are taken as given.

The phonemes are phonemizer's, with punctuation and stress, without the flags of language switches. Where espeak-ng
reads a language wrongly, its text or phonemes are mended: Japanese is turned into kana first, with its Latin words read
as English, and Mandarin gets its tones back.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from stages.artefacts.disk import write_text
from stages.artefacts.formats import Rows
from stages.artefacts.manifest import LEXICON, file_digest
from stages.base import Filtered, Reject, Stage, guarded
from stages.config import StageConfig, runtime
from stages.errors import ConfigError, WeightsError
from stages.records import Utterance, count_phonemes
from stages.text.languages import LANGUAGES
from stages.text.lexicon import NONE, Lexicon, read_lexicon
from stages.text.phonemes import Reading, check_packages, phonemize, prepared, read_texts, reader_packages
from stages.utterances.duplicates import DUPLICATES, NEAR, Copies, read_duplicates
from stages.utterances.filters import G2P_RULES, above, broken

__all__ = ["STAGE", "G2p", "G2pConfig", "phonemize", "prepared"]

Outcome = Utterance | Filtered | Reject


class G2pConfig(StageConfig):
    """Which marks the phonemes keep, and which utterances are filtered by them."""

    stress: bool = True
    """Whether to keep the marks of primary and secondary stress."""
    punctuation: bool = True
    """Whether to keep punctuation. Without it the phonemes don't show pauses."""
    lexicon: str | None = runtime(None)
    """A file of your own words: lines of a language, a word and its phonemes in IPA, with tabs between them. Models
    trained on the dataset keep it. The content, not the path, enters the fingerprint."""
    japanese: Literal["pykakasi", "openjtalk"] = runtime("pykakasi")
    """What splits Japanese into words and reads them. `openjtalk` knows the context; it needs the extra `openjtalk`.
    Models trained on the dataset keep it. Its version enters the fingerprint."""
    min_phonemes_per_s: float | None = Field(None, ge=0)
    """Utterances with fewer phonemes per second are filtered (`FewPhonemes`): text is probably missing."""
    max_phonemes_per_s: float | None = Field(None, ge=0)
    """Utterances with more are filtered (`ManyPhonemes`): audio is probably missing."""
    unique: Literal[False, True, "near"] = False
    """Whether to keep only one of several utterances with the same audio: the first by id that no other rule
    filters. `near`: also of those with nearly the same audio: coded again, louder or softer, resampled, or trimmed by
    some tens of ms. Needs `slice.measure`."""

    @field_validator("max_phonemes_per_s")
    @classmethod
    def _above_min(cls, bound: float | None, info: ValidationInfo) -> float | None:
        key = "min_phonemes_per_s"
        return above(bound, f"g2p.{key}", info.data.get(key))


def configured_lexicon(config: G2pConfig) -> Lexicon:
    """Returns the words of `g2p.lexicon`, none if it names no file, and `g2p.japanese`; raises as `read_lexicon`."""
    return replace(read_lexicon(Path(config.lexicon)) if config.lexicon else NONE, japanese=config.japanese)


_CHEAP = frozenset({"unique", *(rule.key for rule in G2P_RULES)})
"""Keys that don't affect the phonemes."""


class G2p(Stage[G2pConfig, Utterance, Utterance]):
    """Adds the phonemes to each utterance."""

    name: ClassVar[str] = "g2p"
    needs: ClassVar[str] = "slice"
    version: ClassVar[int] = 7
    format = Rows(Utterance)

    _copies: Copies | None = None

    @property
    def batch_size(self) -> int:
        """Utterances per call of `process`: about 100 ms of work."""
        return 256

    @property
    def imports(self) -> tuple[str, ...]:
        """What reads all languages."""
        return ("phonemizer.backend.espeak.wrapper",)

    def revision(self) -> str:
        """Returns the versions of what makes the phonemes, and with `unique` the hash of the duplicates."""
        copies = self.context.dataset / "slice" / self._listed
        unique = self.config.unique and copies.is_file()
        return f"{self._reading}, copies {file_digest(copies)[:12]}" if unique else self._reading

    def item_parameters(self, item: Utterance) -> Any:
        """Returns the parameters of an utterance's outcome, and the utterance that is kept instead of it."""
        return [self._identity, self._reading, self._kept_instead(item)]

    def basis(self, item: Utterance) -> Any:  # noqa: ARG002
        """Returns the parameters of the phonemes."""
        return [{key: value for key, value in self._identity.items() if key not in _CHEAP}, self._reading]

    @cached_property
    def _identity(self) -> dict[str, Any]:
        return self.config.identity()

    @cached_property
    def _reading(self) -> str:
        """The packages that make the phonemes, and the hash of the lexicon."""
        packages, digest = reader_packages(self._lexicon.japanese), self._lexicon.digest
        return f"{packages}, lexicon {digest[:12]}" if digest else packages

    @cached_property
    def _lexicon(self) -> Lexicon:
        return configured_lexicon(self.config)

    def check(self, items: Iterable[Utterance]) -> list[str]:  # noqa: ARG002
        """Returns the packages that are missing, or what is wrong with the lexicon."""
        try:
            check_packages(self.config.japanese)
            self.revision()
        except (ConfigError, WeightsError) as error:
            return [str(error)]
        return []

    @property
    def _listed(self) -> str:
        """The name of the file that lists the copies."""
        return NEAR if self.config.unique == "near" else DUPLICATES

    def setup(self) -> None:
        """Reads which utterances are copies, if `unique` is set.

        Raises:
            MissingInputError: if `slice` isn't finished, or measured nothing.
        """
        if self.config.unique:
            self._copies = Copies(read_duplicates(self.context.dataset / "slice", self._listed), self._is_usable)

    def revise(self, item: Utterance, earlier: Sequence[Outcome]) -> list[Outcome]:  # noqa: ARG002
        """Applies the thresholds again to an utterance that has phonemes already."""
        rows = [outcome.cut if isinstance(outcome, Filtered) else outcome for outcome in earlier]
        return [self._admitted(row) if isinstance(row, Utterance) else row for row in rows if row is not None]

    def process(self, items: Sequence[Utterance]) -> list[list[Outcome]]:
        """Adds the phonemes to the utterances.

        Filtered:
            `FewPhonemes`, `ManyPhonemes`: by threshold; `Duplicate`: another has the same audio.

        Rejected:
            `NoPhonemes`: nothing in the text can be spoken; `UnusableText`: the language isn't supported.
        """
        read = self._read_together(items)

        def outcome(item: Utterance) -> list[Outcome]:
            row = self._phonemized(item, read.get((item.language, item.text)))
            return [row if isinstance(row, Reject) else self._admitted(row)]

        return guarded(items, outcome)

    def _read_together(self, items: Iterable[Utterance]) -> dict[tuple[str, str], Reading]:
        """Returns the readings of all texts, by language and text: a text that many speakers say is read once."""
        texts: dict[str, dict[str, None]] = defaultdict(dict)
        for item in items:
            if item.language in LANGUAGES:
                texts[item.language][item.text] = None
        return {
            (language, text): reading
            for language, some in texts.items()
            for text, reading in zip(some, self._read([*some], language), strict=True)
        }

    def _read(self, texts: Sequence[str], language: str) -> list[Reading]:
        stress, punctuation = self.config.stress, self.config.punctuation
        return read_texts(texts, language, stress=stress, punctuation=punctuation, lexicon=self._lexicon)

    def _phonemized(self, item: Utterance, read: Reading | None = None) -> Utterance | Reject:
        """Returns the utterance with its phonemes. `read` is how its text is read, if that is known."""
        if read is None:
            (read,) = self._read([item.text], item.language)
        if not any(map(count_phonemes, read.phonemes)):
            detail = f"`{item.text[:40]}` must hold text that can be spoken in `{item.language}`, but doesn't."
            return Reject(item.id, "NoPhonemes", detail, "mend the transcript or its language")
        spoken = read.spoken.text if read.spoken.text != read.text else None
        unread = read.spoken.unread or None
        return item.bare(phonemes=read.phonemes, spoken=spoken, unread=unread)

    def _is_usable(self, item: Utterance) -> bool:
        """Returns whether an utterance would be kept if it had no copies."""
        [[row]] = guarded([item], lambda item: [self._phonemized(item)])
        return isinstance(row, Utterance) and broken(row, G2P_RULES, self.config, self.name) is None

    def _kept_instead(self, item: Utterance) -> str:
        """Returns the id of the copy that is kept instead of an utterance; "" if the utterance itself is kept."""
        return self._copies.kept_instead(item.id) if self._copies else ""

    def _admitted(self, row: Utterance) -> Outcome:
        """Returns the utterance, or filtered as a copy or by a threshold."""
        if first := self._kept_instead(row):
            nearly = "nearly " if self.config.unique == "near" else ""
            return Filtered(row.id, "Duplicate", f"{nearly}the same audio as `{first}`", row)
        return broken(row, G2P_RULES, self.config, self.name) or row

    def finish(self, folder: Path, shards: Sequence[str]) -> list[str]:  # noqa: ARG002
        """Writes the lexicon, for the store and for models; removes an earlier one that isn't used any more."""
        if not (text := self._lexicon.to_text()):
            (folder / LEXICON).unlink(missing_ok=True)
            return []
        write_text(folder / LEXICON, text)
        return [LEXICON]


STAGE = G2p
