"""What languages written with a decimal comma and grouped digits share: a language gives its words, and gets rules."""
