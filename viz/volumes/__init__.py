"""From a graph to a scene of oblique boxes, as large as the feature maps."""
