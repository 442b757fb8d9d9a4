"""The decoder: tensors in, logits out."""
