"""Cards of models and datasets, and uploading them to the Hugging Face hub."""
