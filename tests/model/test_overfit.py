"""Overfits one real sentence: passes only if everything from layout to decoding is right."""

from pathlib import Path

import numpy as np
import pytest
import torch

from model.architecture import Arch
from model.decoding.codes import generate
from model.decoding.hearing import hear
from model.decoding.masked import generate_masked, predict_frames
from model.decoding.options import Decoding, Unmasking
from model.decoding.samplers.chain import GREEDY
from model.network.packing import collate
from model.sequences.documents import Condition, canvas, document
from model.sequences.spelled import length_document, text_document
from model.training.trainer import Trainer
from stages.audio.files import read_at
from stages.codecs.table import identity_of, load_codec
from stages.text.phonemes import phonemize
from tests.conftest import SPEECH
from tests.model.conftest import Configure, MemoryStore
from tests.model.decoding.firsts import generate_first
from tests.model.network.test_decoder import EVERY_ARCH

STEPS = 60


def test_a_learnt_sentence_is_given_back(recordings: Path, english: list[Path], configure: Configure) -> None:
    codec = load_codec("embedded")
    clips = english[:2]
    if recordings == SPEECH:
        clips = [recordings / "ljspeech" / "LJ" / f"LJ001-{number}.wav" for number in ("0008", "0002")]
    sentence, prompt = codec.encode([torch.from_numpy(read_at(clip, codec.sample_rate)) for clip in clips])
    codes_KT = sentence.numpy().astype(np.uint16)
    (phonemes,) = phonemize([clips[0].with_suffix(".txt").read_text()], "en")
    condition = Condition(phonemes, "en", prompt.numpy().astype(np.uint16)[:, :50])

    shape = {"model__width": 128, "model__layers": 2, "model__feedforward": 256}
    rate = {"optimizer__lr": 4e-3, "optimizer__warmup_steps": 10, "trainer__max_steps": STEPS, "data__validation": 0.0}
    store = MemoryStore([codes_KT], [phonemes], ["reader"], ["en"], identity_of(codec))
    trainer = Trainer(configure(**shape, **rate), store, quiet=True)
    levels = range(codec.num_codebooks)
    documents = [document(trainer.tokenizer, condition, codes_KT, level, codec.codebook_size) for level in levels]
    batch = collate(documents, codec.num_codebooks)
    for step in range(STEPS):
        trainer.progress.step = step
        trainer.train_step([batch])

    network = trainer.raw_network.eval()
    (spoken,) = generate(
        network, trainer.tokenizer, [condition], max_frames=2 * codes_KT.shape[1], decoding=Decoding(ar=GREEDY)
    )
    assert spoken.shape == codes_KT.shape, "the stop code comes where the sentence ends"
    right = (spoken == codes_KT).mean(axis=1)
    assert right[0] >= 0.99
    assert right[1:].min() >= 0.95


@EVERY_ARCH
def test_lengths_canvases_and_phonemes_are_learnt_too(configure: Configure, arch: Arch) -> None:
    rng = np.random.default_rng(0)
    codes_KT = rng.integers(0, 64, (8, 37)).astype(np.uint16)
    condition = Condition("həlˈoʊ wɜːld", "en", rng.integers(0, 64, (8, 10)).astype(np.uint16))
    frames, steps = codes_KT.shape[1], 150
    rate = {"optimizer__lr": 3e-3, "optimizer__warmup_steps": 10, "trainer__max_steps": steps, "data__validation": 0.0}
    store = MemoryStore([codes_KT], [condition.phonemes], ["reader"], ["en"])
    shape = {"model__arch": arch, "model__width": 96, "model__kv_heads": None}
    trainer = Trainer(configure(**shape, **rate), store, quiet=True)
    tokenizer = trainer.tokenizer
    spelled = [tokenizer.language("en"), *tokenizer.encode(condition.phonemes)]
    documents = [
        length_document(tokenizer, condition, tokenizer.encode(str(frames)), ended=True),
        text_document(tokenizer, codes_KT, spelled, ended=True),
    ]
    for step in range(steps):
        masked_T = rng.random(frames) < np.cos(rng.random() * np.pi / 2)
        masked_T[rng.integers(frames)] = True
        blank = [canvas(tokenizer, condition, codes_KT[0], masked) for masked in (masked_T, np.ones_like(masked_T))]
        trainer.progress.step = step
        trainer.train_step([collate([*documents, *blank], 8)])

    network = trainer.raw_network.eval()
    assert predict_frames(network, tokenizer, [condition], max_frames=900) == [frames]
    unmasking = Unmasking(steps=8, sampling=GREEDY)
    (filled,) = generate_masked(network, tokenizer, [condition], [frames], unmasking=unmasking)
    assert (filled[0] == codes_KT[0]).all()
    (heard,) = hear(network, tokenizer, [codes_KT], max_tokens=40)
    assert (heard.language, heard.phonemes, heard.ended) == ("en", condition.phonemes, True)


def test_what_is_made_of_the_same_input_is_told_by_task_text_prompt_and_tone(configure: Configure) -> None:
    rng = np.random.default_rng(0)
    speech, noise, noisy, *voices = (rng.integers(0, 64, (8, 16)).astype(np.uint16) for _ in range(5))
    words = np.concatenate([speech[:, :4], noisy[:, :7], speech[:, 9:]], axis=1)
    marked = np.arange(words.shape[1]) // 4 == 1
    taught = [
        (Condition("", "en", speech[:, :0], "ns", noisy), speech),
        (Condition("", "en", speech[:, :0], "sr", noisy), noise),
        (Condition("", "en", voices[0], "tse", noisy), voices[1]),
        (Condition("", "en", voices[1], "tse", noisy), voices[0]),
        (Condition("ab", "en", speech[:, :0], "cse", words, marked), speech),
        (Condition("ba", "en", speech[:, :0], "cse", words, marked), noisy[:, :9]),
        (Condition("ab", "en", speech[:, :0], "nse", words, marked), noisy),
        (Condition("", "en", voices[0], "vc", noisy), noise[:, :11]),
        (Condition("ab", "en", voices[0], tone="calm"), noise),
        (Condition("ab", "en", voices[0], tone="loud"), speech[:, :12]),
        (Condition("ab", "en", voices[0]), speech),
    ]
    conditions, responses = zip(*taught, strict=True)
    steps = 120
    rate = {"optimizer__lr": 3e-3, "optimizer__warmup_steps": 10, "trainer__max_steps": steps, "data__validation": 0.0}
    store = MemoryStore([speech, noise], ["ab", "ab"], ["calm/reader", "loud/reader"], ["en", "en"])
    trainer = Trainer(configure(model__width=96, model__group=2, data__tones=True, **rate), store, quiet=True)
    tokenizer = trainer.tokenizer
    documents = [document(tokenizer, condition, codes_KT, 0, 64, group=2) for condition, codes_KT in taught]
    for condition, codes_KT in taught:
        spelled = tokenizer.encode(str(codes_KT.shape[1]))
        documents.append(length_document(tokenizer, condition, spelled, ended=True))
        documents.append(canvas(tokenizer, condition, codes_KT[0], np.ones(codes_KT.shape[1], bool)))
    for step in range(steps):
        trainer.progress.step = step
        trainer.train_step([collate(documents, 8)])

    network = trainer.raw_network.eval()
    asked = network, tokenizer, conditions
    spoken = generate_first(*asked, max_frames=30, decoding=Decoding(ar=GREEDY))
    assert [codes_1T[0].tolist() for codes_1T in spoken] == [codes_KT[0].tolist() for codes_KT in responses]
    frames = predict_frames(*asked, max_frames=900)
    assert frames == [codes_KT.shape[1] for codes_KT in responses]
    once = Unmasking(steps=1, sampling=GREEDY)
    filled = generate_masked(*asked, frames, unmasking=once)
    assert [codes_1T[0].tolist() for codes_1T in filled] == [codes_KT[0].tolist() for codes_KT in responses]
    held = generate_first(
        network, tokenizer, conditions[:1], max_frames=20, min_frames=20, decoding=Decoding(ar=GREEDY)
    )
    assert held[0].shape == (1, 20), "as long as asked, whatever the network thinks"
    held = generate_first(
        network, tokenizer, conditions[:1], max_frames=30, min_frames=17, decoding=Decoding(ar=GREEDY)
    )
    assert held[0].shape[1] >= 17, "also where that isn't a whole number of groups"


@pytest.mark.parametrize(("arch", "group", "frames"), [("llama", 4, 40), ("retnet", 2, 37)])
def test_groups_are_learnt_to_their_end(configure: Configure, arch: Arch, group: int, frames: int) -> None:
    rng = np.random.default_rng(0)
    codes_KT = rng.integers(0, 64, (8, frames)).astype(np.uint16)
    condition = Condition("həlˈoʊ wɜːld", "en", rng.integers(0, 64, (8, 10)).astype(np.uint16))
    rate = {"optimizer__lr": 3e-3, "optimizer__warmup_steps": 10, "trainer__max_steps": 80, "data__validation": 0.0}
    shape = {"model__arch": arch, "model__group": group, "model__width": 96, "model__kv_heads": None}
    store = MemoryStore([codes_KT], [condition.phonemes], ["reader"], ["en"])
    trainer = Trainer(configure(**shape, **rate), store, quiet=True)
    tokenizer = trainer.tokenizer
    documents = [document(tokenizer, condition, codes_KT, level, 64, group=group) for level in range(8)]
    spelled = [tokenizer.language("en"), *tokenizer.encode(condition.phonemes)]
    documents.append(text_document(tokenizer, codes_KT, spelled, ended=True))
    for step in range(80):
        trainer.progress.step = step
        trainer.train_step([collate(documents, 8)])
    network = trainer.raw_network.eval()
    (spoken,) = generate(network, tokenizer, [condition], max_frames=90, decoding=Decoding(ar=GREEDY))
    assert spoken.shape == codes_KT.shape, "the stop code comes where the sentence ends"
    assert (spoken == codes_KT).mean() >= 0.98
    assert hear(network, tokenizer, [codes_KT], max_tokens=40)[0].phonemes == condition.phonemes
