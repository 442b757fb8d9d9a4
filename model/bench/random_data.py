"""Random documents and stores of realistic lengths for the benchmarks."""

from pathlib import Path

import numpy as np

from model.sequences.documents import Condition, Document, document
from model.sequences.tokenizer import Tokenizer
from stages.records import CodecIdentity, Codes, Encoded, Utterance
from stages.store.index import write_index
from stages.store.shards import StoreShards

CODEC = CodecIdentity("encodec", 24_000, 75.0, 8, 1024, "")
_PHONEMES_PER_S = 14
_DURATIONS_S = (2.0, 2.9, 3.5, 4.4, 5.3, 6.8, 7.5, 8.4, 10.5, 13.5, 16.0)
"""Deciles of 60 utterances of LibriSpeech test-other; the longest cut to the `data.max_s` of most configurations."""
SEED = 0


def write_store(folder: Path, utterances: int, speakers: int) -> None:
    """Writes random utterances as `valle-prep hdf5` does; their ids are their numbers, of five digits."""
    rng = np.random.default_rng(SEED)
    rows = []
    for number in range(utterances):
        frames = random_frames(rng)
        phonemes, codes_KT = random_phonemes(rng, frames), random_codes(rng, frames)
        uid, samples = f"{number:05d}", frames * round(CODEC.sample_rate / CODEC.frame_rate)
        about = uid, uid, "g", f"s{number % speakers}", "en", 0, samples, CODEC.sample_rate, "", phonemes, frames
        rows.append(Encoded(Utterance(*about), codes_KT))
    StoreShards().write({"h5": folder / "0.h5"}, rows)
    write_index(folder, ["0.h5"], CODEC, "random")


def random_frames(rng: np.random.Generator) -> int:
    """Returns how many frames an utterance of read speech has, drawn from real durations."""
    shares = np.linspace(0, 1, len(_DURATIONS_S))
    return round(float(np.interp(rng.random(), shares, _DURATIONS_S)) * CODEC.frame_rate)


def random_codes(rng: np.random.Generator, frames: int) -> Codes:
    """Returns codes `[K, T]`."""
    return rng.integers(0, CODEC.codebook_size, (CODEC.num_codebooks, frames)).astype(np.uint16)


def random_phonemes(rng: np.random.Generator, frames: int) -> str:
    """Returns as many phonemes as are said in so many frames."""
    return "".join(rng.choice(list("abdefhijklmnopstuvwzæðŋɐɑɔəɛɜɡɪɹʃʊʌʒθˈˌː "), round(frames * _PHONEMES_PER_S / 75)))


def random_condition(rng: np.random.Generator, frames: int) -> Condition:
    """Returns a request for so many frames of speech, with a prompt of 3 s."""
    return Condition(random_phonemes(rng, frames), "en", random_codes(rng, 225))


def random_documents(tokenizer: Tokenizer, positions: int, *, group: int = 1) -> list[Document]:
    """Returns documents of up to so many positions in all (at least 2), as long as read speech: 1 s to 16 s.

    Half of the documents are AR, the others NAR of any level.
    """
    rng = np.random.default_rng(SEED)
    documents: list[Document] = []
    while len(documents) < 2 or sum(map(len, documents)) < positions:
        frames = random_frames(rng)
        response = random_codes(rng, frames)
        level = 0 if len(documents) % 2 == 0 else int(rng.integers(1, CODEC.num_codebooks))
        condition = random_condition(rng, frames)
        documents.append(document(tokenizer, condition, response, level, CODEC.codebook_size, group=group))
    fits = sum(map(len, documents)) <= positions or len(documents) <= 2
    return documents if fits else documents[:-1]
