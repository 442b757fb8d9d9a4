"""Parts of one training step: the losses and the optimisers."""
