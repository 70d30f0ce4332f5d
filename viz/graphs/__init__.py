"""The frozen graph of a model: read, rewritten, counted."""
