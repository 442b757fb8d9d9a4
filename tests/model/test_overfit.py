"""One real sentence, learnt by heart: the whole chain from layout to decoding is right, or this can't pass."""

from pathlib import Path

import numpy as np
import torch

from model.batching import collate
from model.documents import Condition, document
from model.generate import generate
from model.samplers import GREEDY
from model.trainer import Trainer
from stages.audio import read_at
from stages.codecs import identity_of, load_codec
from stages.g2p import phonemize
from tests.model.conftest import Configure, MemoryStore

STEPS = 60


def test_a_learnt_sentence_is_given_back(speech: Path, configure: Configure) -> None:
    codec = load_codec("embedded")
    clips = [speech / "librispeech-test-other" / "1688" / f"1688-142285-{number}.flac" for number in ("0002", "0008")]
    sentence, prompt = codec.encode([torch.from_numpy(read_at(clip, codec.sample_rate)) for clip in clips])
    codes_KT = sentence.numpy().astype(np.uint16)
    (phonemes,) = phonemize([clips[0].with_suffix(".txt").read_text()], "en")
    condition = Condition(phonemes, "en", prompt.numpy().astype(np.uint16)[:, :75])

    shape = {"model__width": 192, "model__layers": 3, "model__feedforward": 384}
    rate = {"optimizer__lr": 3e-3, "optimizer__warmup_steps": 10, "trainer__max_steps": STEPS, "data__validation": 0.0}
    store = MemoryStore([codes_KT], [phonemes], ["reader"], ["en"], identity_of(codec))
    trainer = Trainer(configure(**shape, **rate), store, quiet=True)
    levels = range(codec.num_codebooks)
    documents = [document(trainer.tokenizer, condition, codes_KT, level, codec.codebook_size) for level in levels]
    batch = collate(documents, codec.num_codebooks)
    for step in range(STEPS):
        trainer.progress.step = step
        trainer.train_step([batch])

    network = trainer.raw_network.eval()
    (spoken,) = generate(network, trainer.tokenizer, [condition], max_frames=2 * codes_KT.shape[1], ar=GREEDY)
    assert spoken.shape == codes_KT.shape, "the stop code comes where the sentence ends"
    right = (spoken == codes_KT).mean(axis=1)
    assert right[0] >= 0.99
    assert right[1:].min() >= 0.95
