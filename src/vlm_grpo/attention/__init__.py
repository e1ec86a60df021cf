"""Where the model looks while it writes: the attention of one layer, on a page."""
