"""The page of `valle ui`: speaking, transforming, recognising, and looking at training runs, in a browser."""
