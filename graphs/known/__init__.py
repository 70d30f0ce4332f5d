"""Entries of Keras's layers and operations, and of our own layers; `knowledge` reads them when it is first asked."""
