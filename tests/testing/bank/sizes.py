"""Strides, padding, pooling and sizes."""

from keras import layers, ops

from .pairs import conv, pair, pool


@pair("b h w c -> b h w 4")
def valid_for_same(x, bug):
    return conv(x, 4, padding="valid" if bug else "same")


@pair("b h w c -> b h-2 w-2 4")
def same_for_valid(x, bug):
    return conv(x, 4, padding="same" if bug else "valid")


@pair("b h w c -> b ceil(h/2) ceil(w/2) 4", "input (None, 1, 2, 1)")
def stride_of_one_axis(x, bug):
    return conv(x, 4, strides=(2, 1) if bug else 2)


@pair("b h w c -> b ceil(h/4) ceil(w/4) c", "input (None, 1, 3, 1)")
def stage_that_keeps_its_stride(x, bug):
    for stage in range(3):
        x = pool(x, 2, strides=2 if stage > bug else 1)
    return x


@pair("b h w c -> b ceil(h/2) ceil(w/2) c")
def pool_that_drops_the_last_row(x, bug):
    return pool(x, 2, padding="valid" if bug else "same")


@pair("b h w c -> b h//2 w//2 c", "input (None, 2, 2, 1)")
def rounding_of_another_framework(x, bug):
    return pool(x if bug else layers.ZeroPadding2D(((0, 1), (0, 1)))(x), 3, strides=2, padding="valid")


@pair("b h w c -> b h-4 w-4 4", "input (None, 3, 3, 1)")
def dilation_forgotten(x, bug):
    return conv(x, 4, padding="valid", dilation_rate=1 if bug else 2)


@pair("b h w c -> b 2*h 2*w 4")
def transposed_of_odd_kernel(x, bug):
    return layers.Conv2DTranspose(4, 3 if bug else 2, 2)(x)


@pair("b h w c -> b h//2 w//2 c", "input (None, 2, 3, 1)")
def pool_without_its_stride(x, bug):
    return layers.AveragePooling2D(2, 1 if bug else 2)(x)


@pair("b h w c -> b c", "input (None, 1, 1, 2)")
def pooled_over_the_wrong_axes(x, bug):
    return ops.mean(x, (2, 3) if bug else (1, 2))


@pair("b t c -> b t 4", "input (None, 1, 1)")
def causal_but_not_padded(x, bug):
    return layers.Conv1D(4, 3, padding="valid" if bug else "causal")(x)


@pair("b t h w c -> b t h//2 w//2 c", "input (None, 1, 2, 2, 1)")
def pooled_over_time_too(x, bug):
    return layers.MaxPooling3D((2, 2, 2) if bug else (1, 2, 2))(x)


@pair("b h w c -> b h w c", "input (None, 1, 2, 1)")
def height_for_width(x, bug):
    height, width = x.shape[1:3]
    if height is None or width is None:
        raise ValueError("a resize needs the size")
    return layers.Resizing(*((width, height) if bug else (height, width)))(pool(x))


@pair("b h w 12 -> b 2*h 2*w 3", "input (None, 1, 1, 12)", unknown=False)
def pixels_shuffled_into_height_alone(x, bug):
    height, width = x.shape[1:3]
    x = ops.transpose(ops.reshape(x, (-1, height, width, 2, 2, 3)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, 4 * height, width, 3) if bug else (-1, 2 * height, 2 * width, 3))
