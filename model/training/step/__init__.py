"""What one training step computes: the losses and the optimiser."""
