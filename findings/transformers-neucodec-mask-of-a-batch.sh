#!/usr/bin/env bash
# transformers 5.23.0: `NeuCodecModel.encode` of a padded batch tells by `audio_codes_mask` which codes are speech. It
# counts the frames of a clip at the decoder's 24 kHz instead of the encoder's 16 kHz, so half as many again as there are:
# a clip of 50 frames beside one of 100 has 75 codes marked as valid, 25 of them of padding. And what is left when the
# padding is cut off by hand isn't what the clip has alone, wherever the acoustic encoder's layers have biases.
# What we do instead: each clip is encoded by itself (stages/codecs/neucodec.py).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchaudio==2.11.0 transformers==5.23.0 numpy==2.4.0
# torchaudio's compiled extension is built for CUDA; its features need none of it
find "$folder/venv" -path '*torchaudio/lib/*.so' -exec mv {} {}.off \;
"$folder/venv/bin/python" -W ignore - <<'PY'
import torch
import transformers
from transformers import NeuCodecConfig, NeuCodecFeatureExtractor, NeuCodecModel

torch.manual_seed(0)
small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
semantic = {"model_type": "wav2vec2-bert", "output_hidden_size": 32, **small}
sizes = {**small, "hidden_size": 64, "num_key_value_heads": 2, "head_dim": 16, "encoder_hidden_size": 4}
config = NeuCodecConfig(semantic_model_config=semantic, quantization_dim=96, **sizes)
model, extractor = NeuCodecModel(config).eval(), NeuCodecFeatureExtractor()
short, long = 0.1 * torch.randn(16_000), 0.1 * torch.randn(32_000)


def encode(*clips):
    with torch.no_grad():
        return model.encode(**extractor(audio=list(clips), sampling_rate=16_000, return_tensors="pt"))


with torch.no_grad():
    for name, parameter in model.acoustic_encoder.named_parameters():
        if name.endswith("bias"):
            parameter.normal_(std=0.1)
    project, heard = model.quantizer.project_in, []
    hook = project.register_forward_hook(lambda *given: heard.append(given[-1][0]))
    encode(long)
    hook.remove()
    deviation, mean = torch.std_mean(heard[0], dim=0)
    project.weight.div_(deviation[:, None])  # so that the codes tell sounds apart
    project.bias.sub_(mean).div_(deviation)
alone, batch = encode(short).audio_codes[0, 0], encode(short, long)
frames, valid = len(alone), int(batch.audio_codes_mask[0].sum())
differ = int((alone != batch.audio_codes[0, 0, :frames]).sum())
print(f"transformers {transformers.__version__}: {frames} frames alone; beside a longer clip {valid} are marked as valid,")
print(f"and {differ} of the first {frames} codes are others than alone")
assert (frames, valid) == (50, 75), "has the mask changed?"
assert differ > 0, "are a batch's codes those of its singles now?"
PY
