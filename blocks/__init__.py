"""Tensor to tensor functions."""
