"""Documents packed into batches of a fixed budget of positions: nothing is padded, so nothing is computed in vain.

The batches form one endless stream that no rank owns: batch n goes to rank n mod world. So the ranks see disjoint
parts, together all of the data, once per epoch; one rank that accumulates over W batches sees what W ranks see; and
the stream's place is two numbers, whatever the number of ranks.

Axes: L positions of all documents, one after the other, K codebooks.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np

from model.data.draw import Draw
from model.data.examples import Examples
from model.network.packing import START, Batch, Place, collate
from model.sequences.documents import Document


class BatchStream:
    """An endless stream of packed batches, shuffled anew in each epoch.

    Args:
        examples: The utterances.
        batch_tokens: Most positions in a batch; a longer document makes a batch of its own.
        seed: Of the shuffling and of all draws.
        rank: Which of the `world` parts to give.
        world: Number of parts.
    """

    def __init__(self, examples: Examples, batch_tokens: int, *, seed: int, rank: int = 0, world: int = 1) -> None:
        self.examples = examples
        self.batch_tokens = batch_tokens
        self.seed = seed
        self.rank = rank
        self.world = world

    def batches(self, place: Place = START) -> Iterator[Batch]:
        """Yields this rank's batches from a place on.

        `Batch.place` is where the stream goes on once every rank has had its batch of the round: the same on all of
        them, and a place from which any number of ranks can go on.
        """
        num_codebooks = self.examples.store.codec.num_codebooks
        plans = self._plans(place)
        while True:
            turns = list(islice(plans, self.world))
            draws, (_, after) = turns[self.rank][0], turns[-1]
            yield collate([self.examples.document(draw) for draw in draws], num_codebooks, after)

    def _plans(self, place: Place) -> Iterator[tuple[list[Draw], Place]]:
        epoch, offset = place.epoch, place.offset
        while True:
            order = self.examples.epoch(self.seed, epoch)
            while offset < len(order):
                draws = self._plan(order, epoch, offset)
                offset += len(draws)
                at_end = offset == len(order)
                yield draws, Place(epoch + 1, 0) if at_end else Place(epoch, offset)
            epoch, offset = epoch + 1, 0

    def _plan(self, order: np.ndarray, epoch: int, offset: int) -> list[Draw]:
        """Takes utterances until the next one wouldn't fit."""
        draws: list[Draw] = []
        left = self.batch_tokens
        for number in range(offset, len(order)):
            draw = self.examples.draw(int(order[number]), np.random.default_rng((self.seed, epoch, number)))
            left -= draw.length
            if left < 0 and draws:
                break
            draws.append(draw)
        return draws


def every_mode(examples: Examples, batch_tokens: int, *, seed: int) -> Iterator[Batch]:
    """Yields each utterance once in every mode that is trained, at every level: a fixed set to validate on.

    Their order is drawn by the seed, so that the first batches hold more than the dataset's first speakers. The task of
    an utterance is drawn once, for all modes, as the tasks are weighed.
    """
    num_codebooks = examples.store.codec.num_codebooks
    documents: list[Document] = []
    left = batch_tokens
    for row in np.random.default_rng(seed).permutation(examples.rows).tolist():
        for kind in examples.kinds:
            item = examples.document(examples.draw(row, np.random.default_rng((seed, row)), kind))
            left -= len(item)
            if left < 0 and documents:
                yield collate(documents, num_codebooks)
                documents, left = [], batch_tokens - len(item)
            documents.append(item)
    if documents:
        yield collate(documents, num_codebooks)


def prefetched(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yields the same batches, each read while the one before is being worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as reader:
        ahead = reader.submit(next, batches, None)
        while (batch := ahead.result()) is not None:
            ahead = reader.submit(next, batches, None)
            yield batch
