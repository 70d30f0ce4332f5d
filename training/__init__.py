"""Training a network: losses by output, `fit` on many devices, and pictures and diagnosis of what it logged.

`compile_args` and `label_every_output` prepare `compile` and `fit`; `fit_distributed` and `device_strategy` train on
several devices. `plot_history` draws the curves of a training and `diagnose` says what they mean;
`plot_class_distribution`, `plot_images`, `plot_feature_maps` and `plot_confusion_matrix` draw what went in and what
came out, as matplotlib axes. Names resolve when first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
