"""What a network of torchvision or timm computes, in a process of its own: torch and TensorFlow in one have crashed.

`python torch_outputs.py REQUEST FOLDER`, with the request as JSON:
`{"library": …, "name": …, "options": {…}, "sizes": [[h, w], …], "taps": {…}, "gain": 1}`; of videos [frames, h, w].
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

CONSTANT = "relative_coords_table"  # of Swin V2, which is no weight


def random_state(shapes: dict[str, tuple[int, ...]], gain: float = 1.0) -> dict[str, np.ndarray]:
    """Random weights, biases and statistics by name, under which the values stay in hand; weights times `gain`."""
    random, state = np.random.default_rng(0), {}
    for key, shape in shapes.items():
        if key.endswith("running_var") or (key.endswith("weight") and len(shape) == 1):
            values: Any = random.uniform(0.5, 1.0, shape)
        elif len(shape) > 1:
            values = random.standard_normal(shape, dtype="float32") * (2 / np.prod(shape[1:])) ** 0.5 * gain
        else:
            values = random.normal(size=shape) / 5
        state[key] = np.asarray(values, "float32")
    return state


def random_images(size: tuple[int, ...]) -> np.ndarray:
    """Two, as Keras has them: `batch *sides channels`."""
    return np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")


def outputs(module: Any, x: np.ndarray, taps: dict[str, str]) -> dict[str, np.ndarray]:
    """Those of auxiliary heads too, which the module leaves out in inference, and of the modules in `taps`."""
    import torch

    heads = {"inception4a": ("aux1", "aux1"), "inception4d": ("aux2", "aux2"), "Mixed_6e": ("aux1", "AuxLogits")}
    found: dict[str, np.ndarray] = {}

    def last(y: Any) -> np.ndarray:
        return np.moveaxis(y.numpy(), 1, -1).copy()

    def run_head(key: str, head: Any) -> Any:
        return lambda _, __, y: found.__setitem__(key, head(y).numpy())

    def tap(key: str) -> Any:
        return lambda _, __, y: found.__setitem__(key, last(y))

    for place, (key, head) in heads.items():
        if getattr(module, head, None) is not None and hasattr(module, place):
            getattr(module, place).register_forward_hook(run_head(key, getattr(module, head)))
    for place, key in taps.items():
        module.get_submodule(place).register_forward_hook(tap(key))
    with torch.no_grad():
        made = module(torch.from_numpy(np.moveaxis(x, -1, 1).copy()))
    of_pixels = {"out": "main", "aux": "aux1"}
    named = {of_pixels[key]: y for key, y in made.items()} if isinstance(made, dict) else {"main": made}
    return {**found, **{key: last(y) for key, y in named.items()}}


def network(library: str, name: str, options: dict[str, Any]) -> Any:
    if library == "timm":
        import timm

        return timm.create_model(name, pretrained=False, **options)
    import torchvision

    return torchvision.models.get_model(name, weights=None, **options)


def main(request: str, folder: str) -> None:
    import torch

    asked = json.loads(request)
    module = network(asked["library"], asked["name"], asked["options"])
    floats = {key: value for key, value in module.state_dict().items() if value.is_floating_point()}
    shapes = {key: tuple(value.shape) for key, value in floats.items() if not key.endswith(CONSTANT)}
    state = module.state_dict()  # with the versions that MNASNet asks for
    state.update({key: torch.from_numpy(value) for key, value in random_state(shapes, asked.get("gain", 1.0)).items()})
    module.load_state_dict(state)
    module.eval()
    results = {
        f"{place}.{key}": value
        for place, size in enumerate(asked["sizes"])
        for key, value in outputs(module, random_images(size), asked["taps"]).items()
    }
    np.savez(f"{folder}/outputs.npz", shapes=json.dumps(shapes), **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
