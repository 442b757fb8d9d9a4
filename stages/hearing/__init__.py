"""From sound to text: recognition, alignment, and who speaks when."""
