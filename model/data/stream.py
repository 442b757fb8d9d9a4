"""Streams of batches: documents within a fixed budget of positions, packed or padded (`model.data.batches`).

Batches are numbered over all ranks: of W ranks, rank r takes batches r, r + W, r + 2W … Together they see every
utterance once per epoch, and a single rank that accumulates W batches per step sees the same. To resume, only (epoch,
utterances used) is needed, even with another number of ranks.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from model.data.batches import buckets, packed
from model.data.draw import Draw
from model.data.examples import Examples
from model.data.reading import read_document, read_documents
from model.network.packing import START, Batch, Place, collate
from model.network.padding import padded
from model.sequences.documents import Document


class BatchStream:
    """An endless stream of batches, reshuffled in each epoch; by `data.sampler`, packed or padded.

    Args:
        examples: The utterances.
        batch_tokens: Maximum positions of a batch; a longer document becomes a batch of its own.
        seed: Seed of the shuffling and of all draws.
        rank: This rank's number, from 0.
        world: Number of ranks.
    """

    def __init__(self, examples: Examples, batch_tokens: int, *, seed: int, rank: int = 0, world: int = 1) -> None:
        self.examples = examples
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.rank = rank
        self.world = world

    def batches(self, place: Place = START) -> Iterator[Batch]:
        """Yields this rank's batches, from a place on.

        `Batch.place` is the place after one batch on every rank. It is the same on all ranks, and any number of ranks
        can continue from it.
        """
        num_codebooks = self.examples.store.codec.num_codebooks
        plans = self._plans(place)
        while True:
            turns = list(islice(plans, self.world))
            draws, (_, after) = turns[self.rank][0], turns[-1]
            documents = read_documents(self.examples, draws)
            batch = collate(documents, num_codebooks, after, ahead=self.examples.ahead)
            yield padded(batch)[0] if self.examples.config.sampler == "buckets" else batch

    def _plans(self, place: Place) -> Iterator[tuple[list[Draw], Place]]:
        epoch, offset = place.epoch, place.offset
        while True:
            order = self.examples.epoch(self.seed, epoch)
            for draws in self._plan(order, epoch, offset):
                offset += len(draws)
                at_end = offset == len(order)
                yield draws, Place(epoch + 1, 0) if at_end else Place(epoch, offset)
            epoch, offset = epoch + 1, 0

    def _plan(self, order: np.ndarray, epoch: int, offset: int) -> Iterator[list[Draw]]:
        """Yields what is drawn for each batch of an epoch."""
        config = self.examples.config

        def draw(number: int) -> Draw:
            return self.examples.draw(int(order[number]), np.random.default_rng((self.seed, epoch, number)))

        if config.sampler == "packed":
            return packed(draw, len(order), self.batch_tokens, offset)
        seed = self.seed, epoch
        return buckets(draw, len(order), self.batch_tokens, offset, seed=seed, growth=config.bucket_growth)


def every_mode(examples: Examples, batch_tokens: int, *, seed: int) -> Iterator[Batch]:
    """Yields batches with each utterance once in every trained mode, at every level: a fixed set for validation.

    The seed shuffles the utterances, so the first batches aren't only of the dataset's first speakers. The task of an
    utterance is drawn by weight, once for all modes.
    """
    num_codebooks = examples.store.codec.num_codebooks
    documents: list[Document] = []
    left = batch_tokens
    for row in np.random.default_rng(seed).permutation(examples.rows).tolist():
        for kind in examples.kinds:
            item = read_document(examples, examples.draw(row, np.random.default_rng((seed, row)), kind))
            left -= len(item)
            if left < 0 and documents:
                yield collate(documents, num_codebooks, ahead=examples.ahead)
                documents, left = [], batch_tokens - len(item)
            documents.append(item)
    if documents:
        yield collate(documents, num_codebooks, ahead=examples.ahead)


def prefetched(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yields the same batches, reading each in a thread while the one before is in use."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as reader:
        ahead = reader.submit(next, batches, None)
        while (batch := ahead.result()) is not None:
            ahead = reader.submit(next, batches, None)
            yield batch
