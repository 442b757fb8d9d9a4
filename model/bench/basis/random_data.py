"""Random documents and stores of realistic lengths, for the benchmarks."""

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
"""Deciles of the durations of 60 LibriSpeech test-other utterances; the last is cut to 16 s, the usual `data.max_s`."""
SEED = 0


def write_store(folder: Path, utterances: int, speakers: int, codec: CodecIdentity = CODEC) -> None:
    """Writes a store of random utterances as `valle-prep hdf5` does; the ids are five-digit numbers."""
    rng = np.random.default_rng(SEED)
    rows = []
    for number in range(utterances):
        spoken = random_frames(rng)
        frames = max(1, round(spoken * codec.frame_rate / CODEC.frame_rate))
        phonemes, codes_KT = random_phonemes(rng, spoken), random_codes(rng, frames, codec)
        uid, samples = f"{number:05d}", frames * round(codec.sample_rate / codec.frame_rate)
        about = uid, uid, "g", f"s{number % speakers}", "en", 0, samples, codec.sample_rate, "", phonemes, frames
        rows.append(Encoded(Utterance(*about), codes_KT))
    StoreShards().write({"h5": folder / "0.h5"}, rows)
    write_index(folder, ["0.h5"], codec, "random")


def random_frames(rng: np.random.Generator) -> int:
    """Draws a number of frames from the durations of read speech."""
    shares = np.linspace(0, 1, len(_DURATIONS_S))
    return round(float(np.interp(rng.random(), shares, _DURATIONS_S)) * CODEC.frame_rate)


def random_codes(rng: np.random.Generator, frames: int, codec: CodecIdentity = CODEC) -> Codes:
    """Returns random codes `[K, T]`."""
    codes_KT = rng.integers(0, codec.codebook_size, (codec.num_codebooks, frames))
    return codes_KT.astype(np.promote_types(np.uint16, np.min_scalar_type(codec.codebook_size - 1)))


def random_phonemes(rng: np.random.Generator, frames: int) -> str:
    """Returns random phonemes, as many as are spoken in `frames` frames."""
    return "".join(rng.choice(list("abdefhijklmnopstuvwzæðŋɐɑɔəɛɜɡɪɹʃʊʌʒθˈˌː "), round(frames * _PHONEMES_PER_S / 75)))


def random_condition(rng: np.random.Generator, frames: int) -> Condition:
    """Returns random phonemes for `frames` frames, in English, and a random prompt of 3 s."""
    return Condition(random_phonemes(rng, frames), "en", random_codes(rng, 225))


def random_documents(tokenizer: Tokenizer, positions: int, *, group: int = 1) -> list[Document]:
    """Returns documents as long as read speech, alternately AR and NAR of a random level.

    Args:
        tokenizer: The tokenizer.
        positions: Most positions of all documents together; at least two documents are returned even if they exceed it.
        group: `model.group`.
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
