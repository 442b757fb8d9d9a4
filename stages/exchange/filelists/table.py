"""The table of trainers. To add one, write one file in this folder that defines a `Trainer`."""

from stages.exchange.filelists.trainer import Trainer
from stages.tables import rows_in

TRAINERS = rows_in("stages.exchange.filelists", Trainer)
"""The trainers by name."""
