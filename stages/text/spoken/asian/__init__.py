"""What Chinese, Japanese and Korean share: patterns of numbers, and their words."""
