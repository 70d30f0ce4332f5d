"""Heads, outputs and their dtypes, and axes of normalization."""

from keras import layers, ops

from layerblocks.testing import check_batch_independence, check_gradients

from .pairs import FEW, conv, mean, pair, pool


@pair("b h w c -> b 3")
def flattened_before_the_pool(x, bug):
    x = pool(conv(x, 4))
    return layers.Dense(3)(layers.Flatten()(x) if bug else mean(x))


@pair("b h w c -> b c")
def axes_kept_by_the_pool(x, bug):
    return layers.GlobalMaxPooling2D(keepdims=bug)(x)


@pair("b h w c -> {boxes: b h*w*3 4, scores: b h*w*3}", unknown=False)
def anchors_that_go_to_the_wrong_axis(x, bug):
    boxes = layers.Reshape((-1, 3 if bug else 4))(conv(x, 12))
    return {"boxes": boxes, "scores": layers.Flatten()(conv(x, 3))}


@pair("b h w c -> {main: b 5, aux: b 3}")
def outputs_exchanged(x, bug):
    five, three = (layers.Dense(units)(mean(x)) for units in (5, 3))
    return {"main": three, "aux": five} if bug else {"main": five, "aux": three}


@pair("b h w c -> {main: b 5, aux: b 5}")
def head_that_ignores_its_branch(x, bug):
    trunk, branch = conv(x, 4), conv(x, 6)
    return {"main": layers.Dense(5)(mean(trunk)), "aux": layers.Dense(5)(mean(trunk if bug else branch))}


@pair("b h w c -> int32[b h w]")
def labels_that_are_numbers(x, bug):
    labels = ops.argmax(conv(x, 3, 1), -1)
    return ops.cast(labels, "float32") if bug else labels


@pair("b h w c -> b 3", mixed_dtype="float32")
def softmax_of_half_precision(x, bug):
    x = layers.Dense(3)(mean(x))
    return layers.Activation("softmax", dtype=None if bug else "float32")(x)


@pair("b h w c -> b h w 3", check=check_gradients, sides=(1, 4), params={"c": 1})
def softmax_over_the_height(x, bug):
    return layers.Softmax(axis=1 if bug else -1)(conv(x, 3, 1))


@pair("b h w c -> b 3", check=check_batch_independence, **FEW)
def softmax_over_the_batch(x, bug):
    return layers.Softmax(axis=0 if bug else -1)(layers.Dense(3)(mean(x)))


@pair("b c h w -> b c h w")
def norm_of_the_wrong_axis(x, bug):
    """Under channels_first, the axis of the last is that of the width."""
    return layers.BatchNormalization(axis=-1 if bug else 1)(x)


@pair("b c h w -> b 2*c h w")
def concatenated_as_channels_last(x, bug):
    return layers.Concatenate(axis=-1 if bug else 1)([x, layers.ReLU()(x)])


@pair("b h w c -> b h w c")
def norm_of_the_pixels(x, bug):
    return layers.LayerNormalization(axis=(2, 3) if bug else -1)(x)
