"""From a graph to a scene of boxes and lines."""
