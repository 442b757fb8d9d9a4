"""Written text to spoken words: numbers, money, dates, units, abbreviations, by language."""
