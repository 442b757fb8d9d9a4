"""Builds tiny speech models in the real formats: whisper for CTranslate2, wav2vec2 for transformers.

The weights are random, except whisper's decoder positions: they spell one fixed sentence for any audio. So whisperX
runs as with real weights, and tests know its output.
"""

import itertools
from pathlib import Path

WIDTH = 64
BASE_VOCABULARY = 50_257
"""Tokens of the multilingual vocabulary before the special ones."""


def build_whisper(folder: Path, *, language: str, says: str) -> Path:
    """Writes a whisper in CTranslate2's format that transcribes everything as `says`, in `language`."""
    import torch
    from ctranslate2.converters import TransformersConverter
    from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    tokenizer = _tokenizer()
    id_of = tokenizer.convert_tokens_to_ids
    eot, sot = id_of("<|endoftext|>"), id_of("<|startoftranscript|>")
    ends = {"bos_token_id": eot, "eos_token_id": eot, "pad_token_id": eot, "decoder_start_token_id": sot}
    shape = {
        f"{part}_{name}": size
        for part in ("encoder", "decoder")
        for name, size in {"layers": 1, "attention_heads": 2, "ffn_dim": WIDTH}.items()
    }
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(WhisperConfig(vocab_size=len(tokenizer), d_model=WIDTH, **shape, **ends))
    model.generation_config = GenerationConfig(
        **ends,
        is_multilingual=True,
        no_timestamps_token_id=id_of("<|notimestamps|>"),
        lang_to_id={f"<|{code}|>": id_of(f"<|{code}|>") for code in _languages()},
        task_to_id={task: id_of(f"<|{task}|>") for task in ("transcribe", "translate")},
        suppress_tokens=[],
        begin_suppress_tokens=[],
        alignment_heads=[[0, 0]],
    )
    # The prompt is <|startoftranscript|> <|language|> <|transcribe|> <|notimestamps|>; detection reads its first place.
    spoken = tokenizer.encode(" " + says, add_special_tokens=False)
    said = [id_of(f"<|{language}|>"), eot, eot, *spoken, eot]
    decoder = model.model.decoder
    with torch.no_grad():
        decoder.embed_tokens.weight[eot] = 0.02 * torch.randn(WIDTH)  # the padding: zeros until now
        positions = decoder.embed_positions.weight
        positions[:] = 100 * decoder.embed_tokens.weight[eot]
        positions[: len(said)] = 100 * decoder.embed_tokens.weight[said]
        decoder.layer_norm.weight.fill_(50)
    source = folder / "transformers"
    for part in (model, tokenizer, WhisperFeatureExtractor(feature_size=80)):
        part.save_pretrained(source)
    converter = TransformersConverter(str(source), copy_files=["tokenizer.json", "preprocessor_config.json"])
    return Path(converter.convert(str(folder / "ctranslate2")))


def build_aligner(folder: Path) -> Path:
    """Writes a random wav2vec2 for the letters of English and German."""
    import json

    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForCTC,
        Wav2Vec2Processor,
    )

    folder.mkdir(parents=True)
    symbols = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyzäöüß'"]
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({symbol: index for index, symbol in enumerate(symbols)}), encoding="utf-8")
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(
        Wav2Vec2Config(
            vocab_size=len(symbols),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            conv_dim=(32,) * 7,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
            pad_token_id=0,
        )
    )
    model.save_pretrained(folder)
    tokenizer = Wav2Vec2CTCTokenizer(str(vocabulary))
    Wav2Vec2Processor(feature_extractor=Wav2Vec2FeatureExtractor(), tokenizer=tokenizer).save_pretrained(folder)
    return folder


def _languages() -> list[str]:
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    return [code for code in LANGUAGES if code != "yue"]  # came with large-v3


def _tokenizer():
    """Returns a tokenizer like whisper's multilingual one (51,865 tokens), which merges any two bytes."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import WhisperTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = list(itertools.islice(itertools.product(letters, repeat=2), BASE_VOCABULARY - len(letters) - 1))
    # The last token is empty, as in the genuine vocabulary: by it CTranslate2 knows a multilingual model.
    symbols = [*letters, *("".join(pair) for pair in merges), ""]
    tokenizer = Tokenizer(models.BPE({symbol: index for index, symbol in enumerate(symbols)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tasks = ["translate", "transcribe", "startoflm", "startofprev", "nocaptions", "notimestamps"]
    special = ["endoftext", "startoftranscript", *_languages(), *tasks]
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", normalized=False) for name in special])
    tokenizer.add_tokens([AddedToken(f"<|{step * 0.02:.2f}|>", normalized=False) for step in range(1501)])
    assert tokenizer.get_vocab_size() == 51_865
    return WhisperTokenizerFast(tokenizer_object=tokenizer)
