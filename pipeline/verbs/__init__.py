"""Commands that look at a dataset or change it, beside the stages."""
