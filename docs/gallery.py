"""Draw the figures of the gallery and write its page: `python docs/gallery.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from layerblocks.architectures import build
from layerblocks.blocks import weightless
from layerblocks.viz import diagram, diff

HERE = Path(__file__).parent

# Title, name of the file, what it shows, and the line that makes it.
FIGURES = (
    (
        "GoogLeNet, in one column",
        "googlenet",
        "Blocks in a column of 3.5 inches; both auxiliary heads off the axis, with the weight of their loss.",
        'diagram(build("googlenet"), width="ieee1")',
    ),
    (
        "GoogLeNet with its block drawn open",
        "googlenet-zoom",
        "The overview beside one panel for every kind of block, as papers do.",
        'diagram(build("googlenet"), width="ieee2", zoom="inception_3a")',
    ),
    (
        "One block opened where it stands",
        "googlenet-expand",
        "`expand=` draws a block open inside a frame, the rest stays closed.",
        'diagram(build("googlenet"), width="neurips", depth=1, expand="inception_3a")',
    ),
    (
        "ResNet-50, repeated blocks collapsed",
        "resnet50",
        "Equal blocks in a row are one box; the strided first block of a stage stays apart.",
        'diagram(build("resnet50"), width="ieee1", depth=2)',
    ),
    (
        "ResNet-1202",
        "resnet1202",
        "4,208 layers; the depth that fits is found by a budget of boxes.",
        'diagram(build("cifar_resnet1202"), width="ieee1")',
    ),
    (
        "U-Net as volumes",
        "unet-volumes",
        "Height is resolution, thickness is channels, read from the live model.",
        'diagram(build("unet"), width="ieee2", style="volumes", depth=1, show="shape")',
    ),
    (
        "U-Net with braces and a callout",
        "unet-groups",
        "`groups=` names parts at a brace, `callouts=` says something of one box; what is in the way moves aside.",
        "diagram(\n"
        '    build("unet"),\n'
        '    width="ieee1",\n'
        '    groups={"encoder*": "encoder", "decoder*": "decoder"},\n'
        '    callouts={"encoder5": "the bridge"},\n'
        ")",
    ),
    (
        "VGG-16 as volumes",
        "vgg16-volumes",
        "A darker band is the activation.",
        'diagram(build("vgg16"), width="neurips", style="volumes", show="shape")',
    ),
    (
        "ResNet-18 as volumes",
        "resnet18-volumes",
        "Identity and projection skips as arcs.",
        'diagram(build("resnet18"), width="ieee2", style="volumes", show="shape")',
    ),
    (
        "DenseNet-121, from left to right",
        "densenet121",
        "Rows with continuation lines, for a wide page.",
        'diagram(build("densenet121"), width="ieee2", direction="LR", depth=1)',
    ),
    (
        "InceptionV3 of keras.applications",
        "keras-inception-v3",
        "No word of ours in the model: layers are called `conv2d_57`, blocks are found in the graph.",
        'diagram(keras.applications.InceptionV3(weights=None), width="ieee1")',
    ),
    (
        "What changed from ResNet v1 to v1.5",
        "resnet50-difference",
        "By structure, not by name: only the strides of three blocks.",
        'diff(build("resnet50"), build("resnet50", dialect="torchvision")).figure(width="ieee1")',
    ),
)

# Networks in plain Keras with the names that Keras gives: functions of `tests/zoo`, and what their figures show.
STRANGERS = {
    "attention_unet": "An encoder with a decoder is a U, whoever wrote it; skips are level.",
    "deeplab_v3_plus": "What is parallel is one block, called by its pattern.",
    "pix2pix": "A generator with skips.",
    "vit": "Two residuals, four times over: one frame around both.",
    "gpt": "The same without a class token.",
    "encoder_decoder": "The encoder's result is key and value of each block of the decoder.",
    "seq2seq_lstm": "Two states go from one LSTM to the other.",
    "crnn": "Convolutions, then recurrent layers.",
    "siamese": "One tower called twice, and the difference of what it says.",
    "two_stream_video": "Two lanes of one network; what is done at each step is in a frame.",
    "subclassed_resnet18": "A `class Net(keras.Model)`, read by following its `call`.",
    "rgbd_unet": "241 layers in two branches, joined until the column holds them.",
}


def draw(line: str) -> Any:
    """What a line of the gallery makes. The models need no weights."""
    import keras

    with weightless():
        return eval(line, {"build": build, "diagram": diagram, "diff": diff, "keras": keras})


def file_of(stranger: str) -> str:
    return f"zoo-{stranger.replace('_', '-')}"


def draw_stranger(name: str) -> Any:
    """The figure of a network of the zoo."""
    sys.path.insert(0, str(HERE.parent))
    from tests import zoo

    return diagram(zoo.build(name), width="ieee1")


def page() -> str:
    lines = [
        "# Gallery",
        "",
        "Every figure is made from the live model by the one line above it, with",
        "",
        "```python",
        "import keras",
        "from layerblocks.architectures import build",
        "from layerblocks.viz import diagram, diff",
        "```",
        "",
        'and saved by `.save("figure.pdf")` (or `.svg`, `.png`, `.eps`, `.tex`, `.tikz`, `.dot`, `.mmd`).',
        "`python docs/gallery.py` makes this page anew.",
    ]
    for title, name, shows, line in FIGURES:
        lines += ["", f"## {title}", "", shows, "", "```python", line, "```", ""]
        lines += [f"![{title}](gallery/{name}.svg)"]
    lines += [
        "",
        "# Networks of others",
        "",
        "In plain Keras, with the names that Keras gives, by no more than",
        "",
        "```python",
        'diagram(model, width="ieee1")',
        "```",
        "",
        "The functions that make them are in [tests/zoo](../tests/zoo).",
    ]
    for name, shows in STRANGERS.items():
        lines += ["", f"## `{name}`", "", shows, "", f"![{name}](gallery/{file_of(name)}.svg)"]
    return "\n".join(lines) + "\n"


def main() -> None:
    (HERE / "gallery").mkdir(exist_ok=True)
    figures = [(title, name, draw(line)) for title, name, _, line in FIGURES]
    figures += [(name, file_of(name), draw_stranger(name)) for name in STRANGERS]
    for title, name, figure in figures:
        figure.save(HERE / "gallery" / f"{name}.svg")
        print(f"{title}: {figure.width:.0f} × {figure.height:.0f} pt, text {figure.text_size:.3g} pt")
    (HERE / "gallery.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
