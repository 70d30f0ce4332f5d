"""Skips, merges, decoders and shared layers."""

import random

from keras import layers

from .pairs import conv, crop, mean, pair, pool, up


@pair("b h w c -> b ceil(h/2) ceil(w/2) 4", "input (None, 1, 2, 1)")
def stride_on_one_branch(x, bug):
    return layers.add([conv(x, 4, 3, 2), conv(x, 4, 1, 1 if bug else 2)])


@pair("b h w c -> b h w 4")
def projection_forgotten_for_other_channels(x, bug):
    return layers.add([conv(x, 4), x if bug or x.shape[-1] == 4 else conv(x, 4, 1)])


@pair("b h w c -> b h w 4")
def skip_made_and_not_added(x, bug):
    y, skip = conv(x, 4), conv(x, 4, 1)
    return layers.add([y, y if bug else skip])


@pair("b h w c -> b h w 4", parameters=lambda c: 9 * 4 * (c + 4) + 2 * 16)
def norm_shared_by_accident(x, bug):
    norms = [layers.BatchNormalization() for _ in range(2)]
    for norm in norms:
        x = norms[0 if bug else norms.index(norm)](conv(x, 4, use_bias=False))
    return x


@pair("b h w c -> b h w c+6")
def dense_block_that_drops_its_input(x, bug):
    for _ in range(2):
        new = conv(x, 3)
        x = new if bug else layers.concatenate([x, new])
    return x


@pair("b h w c -> b h w c")
def gate_that_is_not_reshaped(x, bug):
    gate = layers.Dense(x.shape[-1], "sigmoid")(mean(x))
    return x * (gate if bug else layers.Reshape((1, 1, -1))(gate))


@pair("b h w c -> b h w 2", unknown=False)
def branch_dropped_at_random(x, bug):
    for _ in range(3):
        if not bug or random.random() < 0.5:
            x = conv(x, 2)
    return conv(x, 2, 1)


@pair("b h w c -> b h w 4")
def branch_that_leads_nowhere(x, bug):
    one, two = conv(x, 2, 1), conv(x, 2)
    return layers.concatenate([one, one if bug else two])


@pair("b h w c, b ceil(h/2) ceil(w/2) d -> b h w c+d", "inputs (None, 1, 1, 1), (None, 1, 1, 1)")
def decoder_that_does_not_crop(skip, x, bug):
    return layers.concatenate([skip, up(x) if bug else crop(up(x), skip)])


@pair("b h w c, b h w d -> b h w c+d", "inputs (None, 1, 1, 1), (None, 1, 1, 1)")
def concatenated_on_the_height(skip, x, bug):
    return layers.Concatenate(axis=1 if bug else -1)([skip, x])


@pair("b h w c, b h w d -> b h w c+d", "inputs (None, 1, 1, 1), (None, 1, 1, 2)")
def skip_of_the_decoder_forgotten(skip, x, bug):
    return layers.concatenate([x, x if bug else skip])


@pair("b h w c -> b h w 4 where h % 4 == 0, w % 4 == 0", "input (None, 4, 4, 1)", sides=(4, 96))
def skip_of_the_wrong_level(x, bug):
    first = conv(x, 4)
    second = conv(pool(first), 4)
    y = up(conv(pool(second), 4))
    return up(layers.add([y, pool(second) if bug else second]))


@pair("b h w c -> b h+2 w+2 c")
def border_cropped_by_one_too_many(x, bug):
    return layers.Cropping2D(((1, 1), (1, 2 if bug else 1)))(layers.ZeroPadding2D(2)(x))
