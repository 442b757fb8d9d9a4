"""The decoder network: tensors in, logits out."""
