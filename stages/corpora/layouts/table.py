"""The table of corpus layouts: how the tables of public corpora name recordings, speakers and texts.

To add a layout, add one file to this folder, with a function that yields the rows of its table and a `Layout` that
describes it. Layouts read no audio. A row affects only its own recording; editing it reprocesses nothing else.
"""

from stages.corpora.layouts.layout import Layout
from stages.tables import rows_in

LAYOUTS = rows_in("stages.corpora.layouts", Layout)
"""The layouts by name. They are sorted by `rank`; if several name the same recording, the first wins."""
