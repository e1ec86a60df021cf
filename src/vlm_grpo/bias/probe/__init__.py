"""How much of the label a model can tell from the question, the relation or the picture alone."""
