"""Pictures of a training: curves, images, feature maps."""
