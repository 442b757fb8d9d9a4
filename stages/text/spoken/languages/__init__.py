"""How each language says what is written in digits and signs; a module a language, found by its name."""
