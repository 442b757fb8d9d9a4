"""The table of cleaners. To add one, write a file in `stages/cleaning/cleaners/` that defines a `CleanerRow`."""

from stages.cleaning.cleaner import CleanerRow
from stages.tables import rows_in

CLEANERS = rows_in("stages.cleaning.cleaners", CleanerRow)
"""The rows by name."""
