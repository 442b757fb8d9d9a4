"""The table of corpus layouts: how the tables of public corpora tell who says what in which recording.

To add a layout, write one file in this folder: a function that yields the rows of its table, and a `Layout` that
describes it. No audio is read here. A row travels with its recording, so that a changed row concerns that recording
alone.
"""

from stages.corpora.layouts.layout import Layout
from stages.tables import rows_in

LAYOUTS = rows_in("stages.corpora.layouts", Layout)
"""The layouts by name; where several name one recording, the first of these is believed."""
