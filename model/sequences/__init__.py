"""How utterances and tasks become sequences of ids."""
