"""Encoders and decoders: a class or a value for every pixel."""

import keras
from keras import layers as L
from keras import ops

from .registry import net


def double_conv(x, filters):
    x = L.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
    return L.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)


def conv_bn_relu(x, filters, kernel=3, **options):
    x = L.Conv2D(filters, kernel, padding="same", use_bias=False, **options)(x)
    return L.ReLU()(L.BatchNormalization()(x))


@net
def unet():
    """Two convolutions and a pool a level, as every tutorial has it."""
    inputs = keras.Input((128, 128, 3))
    c1 = double_conv(inputs, 16)
    c2 = double_conv(L.MaxPooling2D()(c1), 32)
    c3 = double_conv(L.MaxPooling2D()(c2), 64)
    c4 = double_conv(L.MaxPooling2D()(c3), 128)
    c5 = double_conv(L.MaxPooling2D()(c4), 256)
    u6 = L.concatenate([L.Conv2DTranspose(128, 2, strides=2, padding="same")(c5), c4])
    c6 = double_conv(u6, 128)
    u7 = L.concatenate([L.Conv2DTranspose(64, 2, strides=2, padding="same")(c6), c3])
    c7 = double_conv(u7, 64)
    u8 = L.concatenate([L.Conv2DTranspose(32, 2, strides=2, padding="same")(c7), c2])
    c8 = double_conv(u8, 32)
    u9 = L.concatenate([L.Conv2DTranspose(16, 2, strides=2, padding="same")(c8), c1])
    c9 = double_conv(u9, 16)
    return keras.Model(inputs, L.Conv2D(1, 1, activation="sigmoid")(c9))


def attention_gate(x, g, filters):
    theta = L.Conv2D(filters, 1, padding="same")(x)
    phi = L.Conv2D(filters, 1, padding="same")(g)
    psi = L.Conv2D(1, 1, activation="sigmoid")(L.Activation("relu")(L.add([theta, phi])))
    return L.multiply([x, psi])


@net
def attention_unet():
    """Skips through additive gates (Oktay et al. 2018)."""
    inputs = keras.Input((64, 64, 1))
    skips, x = [], inputs
    for filters in (16, 32, 64):
        x = double_conv(x, filters)
        skips.append(x)
        x = L.MaxPooling2D()(x)
    x = double_conv(x, 128)
    for filters, skip in zip((64, 32, 16), reversed(skips), strict=True):
        up = L.UpSampling2D()(x)
        x = double_conv(L.concatenate([up, attention_gate(skip, up, filters // 2)]), filters)
    return keras.Model(inputs, L.Conv2D(1, 1, activation="sigmoid")(x))


@net
def residual_unet():
    """Pre-activation residual blocks at every level."""

    def block(x, filters, strides=1):
        y = L.Conv2D(filters, 3, strides=strides, padding="same")(L.ReLU()(L.BatchNormalization()(x)))
        y = L.Conv2D(filters, 3, padding="same")(L.ReLU()(L.BatchNormalization()(y)))
        return L.Add()([y, L.Conv2D(filters, 1, strides=strides)(x)])

    inputs = keras.Input((64, 64, 3))
    e1 = block(inputs, 16)
    e2 = block(e1, 32, 2)
    e3 = block(e2, 64, 2)
    x = block(e3, 128, 2)
    for filters, skip in ((64, e3), (32, e2), (16, e1)):
        x = block(L.Concatenate()([L.UpSampling2D()(x), skip]), filters)
    return keras.Model(inputs, L.Conv2D(1, 1, activation="sigmoid")(x))


@net
def unet_xception():
    """The segmentation example of Keras's own site."""
    inputs = keras.Input((160, 160, 3))
    x = L.Activation("relu")(L.BatchNormalization()(L.Conv2D(32, 3, strides=2, padding="same")(inputs)))
    previous = x
    for filters in (64, 128, 256):
        x = L.BatchNormalization()(L.SeparableConv2D(filters, 3, padding="same")(L.Activation("relu")(x)))
        x = L.BatchNormalization()(L.SeparableConv2D(filters, 3, padding="same")(L.Activation("relu")(x)))
        x = L.MaxPooling2D(3, strides=2, padding="same")(x)
        x = L.add([x, L.Conv2D(filters, 1, strides=2, padding="same")(previous)])
        previous = x
    for filters in (256, 128, 64, 32):
        x = L.BatchNormalization()(L.Conv2DTranspose(filters, 3, padding="same")(L.Activation("relu")(x)))
        x = L.BatchNormalization()(L.Conv2DTranspose(filters, 3, padding="same")(L.Activation("relu")(x)))
        x = L.UpSampling2D(2)(x)
        x = L.add([x, L.Conv2D(filters, 1, padding="same")(L.UpSampling2D(2)(previous))])
        previous = x
    return keras.Model(inputs, L.Conv2D(3, 3, activation="softmax", padding="same")(x))


@net
def unet_plus_plus():
    """Nested, dense skips."""
    inputs = keras.Input((64, 64, 3))
    filters, nodes = (16, 32, 64, 128), {}
    for i, f in enumerate(filters):
        nodes[i, 0] = double_conv(inputs if i == 0 else L.MaxPooling2D()(nodes[i - 1, 0]), f)
    for j in range(1, 4):
        for i in range(4 - j):
            merged = [nodes[i, k] for k in range(j)] + [L.UpSampling2D()(nodes[i + 1, j - 1])]
            nodes[i, j] = double_conv(L.concatenate(merged), filters[i])
    outputs = [L.Conv2D(1, 1, activation="sigmoid")(nodes[0, j]) for j in range(1, 4)]
    return keras.Model(inputs, outputs)


@net
def deeplab_v3_plus():
    """Atrous pyramid over a small backbone, and a decoder with one low skip."""
    inputs = keras.Input((128, 128, 3))
    low = conv_bn_relu(conv_bn_relu(inputs, 16, strides=2), 24, strides=2)
    x = conv_bn_relu(conv_bn_relu(low, 64, strides=2), 96, strides=2)
    pooled = L.AveragePooling2D((8, 8))(x)
    pooled = L.UpSampling2D((8, 8), interpolation="bilinear")(conv_bn_relu(pooled, 64, 1))
    branches = [pooled, conv_bn_relu(x, 64, 1), *(conv_bn_relu(x, 64, 3, dilation_rate=r) for r in (6, 12, 18))]
    x = conv_bn_relu(L.Concatenate()(branches), 64, 1)
    x = L.UpSampling2D((4, 4), interpolation="bilinear")(x)
    x = L.Concatenate()([x, conv_bn_relu(low, 12, 1)])
    x = conv_bn_relu(conv_bn_relu(x, 64), 64)
    x = L.UpSampling2D((4, 4), interpolation="bilinear")(x)
    return keras.Model(inputs, L.Conv2D(20, 1)(x))


@net
def pspnet():
    """Pools at four scales."""
    inputs = keras.Input((96, 96, 3))
    x = conv_bn_relu(conv_bn_relu(conv_bn_relu(inputs, 32, strides=2), 64, strides=2), 64, strides=2)
    levels = [x]
    for size in (12, 6, 4, 2):
        y = conv_bn_relu(L.AveragePooling2D(size)(x), 16, 1)
        levels.append(L.Resizing(12, 12)(y))
    x = conv_bn_relu(L.Concatenate()(levels), 64)
    x = L.Resizing(96, 96)(L.Conv2D(5, 1)(x))
    return keras.Model(inputs, L.Softmax()(x))


@net
def segnet():
    """Encoder and decoder without skips."""
    inputs = keras.Input((64, 64, 3))
    x = inputs
    for filters in (16, 32, 64):
        x = L.MaxPooling2D()(conv_bn_relu(conv_bn_relu(x, filters), filters))
    for filters in (64, 32, 16):
        x = conv_bn_relu(conv_bn_relu(L.UpSampling2D()(x), filters), filters)
    return keras.Model(inputs, L.Conv2D(4, 1, activation="softmax")(x))


@net
def rgbd_unet():
    """Two streams, three attention gates, an atrous pyramid, a transformer block and two outputs."""
    rgb, depth = keras.Input((96, 96, 3)), keras.Input((96, 96, 1))

    def encode(x, widths=(16, 32, 64)):
        skips = []
        for filters in widths:
            x = conv_bn_relu(conv_bn_relu(x, filters), filters)
            skips.append(x)
            x = L.MaxPooling2D()(x)
        return x, skips

    a, skips_a = encode(rgb)
    b, skips_b = encode(depth)
    x = L.Concatenate()([a, b])
    x = L.Concatenate()([conv_bn_relu(x, 32, 1), *(conv_bn_relu(x, 32, 3, dilation_rate=r) for r in (2, 4, 8))])
    tokens = L.Reshape((144, 128))(x)
    normed = L.LayerNormalization()(tokens)
    tokens = L.Add()([tokens, L.MultiHeadAttention(4, 32)(normed, normed)])
    hidden = L.Dense(256, activation="gelu")(L.LayerNormalization()(tokens))
    tokens = L.Add()([tokens, L.Dense(128)(hidden)])
    x = L.Reshape((12, 12, 128))(tokens)
    for filters, p, q in zip((64, 32, 16), reversed(skips_a), reversed(skips_b), strict=True):
        up = L.Conv2DTranspose(filters, 2, strides=2)(x)
        skip = attention_gate(L.Concatenate()([p, q]), up, filters // 2)
        x = conv_bn_relu(conv_bn_relu(L.Concatenate()([up, skip]), filters), filters)
    mask = L.Conv2D(6, 1, activation="softmax", name="mask")(x)
    edge = L.Conv2D(1, 1, activation="sigmoid", name="edge")(x)
    return keras.Model([rgb, depth], {"mask": mask, "edge": edge})


@net
def unet_3d():
    """A small U-Net of volumes."""
    inputs = keras.Input((32, 32, 32, 1))

    def block(x, filters):
        for _ in range(2):
            x = L.ReLU()(L.GroupNormalization(4)(L.Conv3D(filters, 3, padding="same")(x)))
        return x

    a = block(inputs, 8)
    b = block(L.MaxPooling3D()(a), 16)
    x = block(L.MaxPooling3D()(b), 32)
    x = block(L.Concatenate()([L.Conv3DTranspose(16, 2, strides=2)(x), b]), 16)
    x = block(L.Concatenate()([L.Conv3DTranspose(8, 2, strides=2)(x), a]), 8)
    return keras.Model(inputs, L.Conv3D(3, 1, activation="softmax")(x))


@net
def linknet():
    """Skips that are added, not concatenated."""
    inputs = keras.Input((64, 64, 3))
    x, skips = conv_bn_relu(inputs, 16, strides=2), []
    for filters in (16, 32, 64):
        skips.append(x)
        x = conv_bn_relu(conv_bn_relu(x, filters, strides=2), filters)
    for skip in reversed(skips):
        filters = skip.shape[-1]
        x = L.Conv2DTranspose(filters, 3, strides=2, padding="same")(conv_bn_relu(x, filters, 1))
        x = L.add([L.ReLU()(x), skip])
    return keras.Model(inputs, L.Conv2DTranspose(2, 3, strides=2, padding="same")(x))


@net
def feature_pyramid_detector():
    """A pyramid with shared heads at three levels."""
    inputs = keras.Input((128, 128, 3))
    x, taps = conv_bn_relu(inputs, 16, strides=2), []
    for filters in (32, 64, 128):
        x = conv_bn_relu(conv_bn_relu(x, filters, strides=2), filters)
        taps.append(x)
    p5 = L.Conv2D(64, 1)(taps[2])
    p4 = L.add([L.UpSampling2D()(p5), L.Conv2D(64, 1)(taps[1])])
    p3 = L.add([L.UpSampling2D()(p4), L.Conv2D(64, 1)(taps[0])])
    levels = [L.Conv2D(64, 3, padding="same")(p) for p in (p3, p4, p5)]
    first, second = (L.Conv2D(64, 3, padding="same", activation="relu") for _ in range(2))
    classes, boxes = L.Conv2D(9 * 4, 3, padding="same"), L.Conv2D(9 * 4, 3, padding="same")
    scores = [L.Reshape((-1, 4))(classes(second(first(p)))) for p in levels]
    places = [L.Reshape((-1, 4))(boxes(second(first(p)))) for p in levels]
    return keras.Model(inputs, [L.Concatenate(axis=1)(scores), L.Concatenate(axis=1)(places)])


@net
def centernet():
    """Heat map, size and offset from one decoder."""
    inputs = keras.Input((128, 128, 3))
    x = inputs
    for filters in (16, 32, 64, 128):
        x = conv_bn_relu(x, filters, strides=2)
    for filters in (64, 32):
        x = L.ReLU()(L.BatchNormalization()(L.Conv2DTranspose(filters, 4, strides=2, padding="same")(x)))
    heads = {}
    for key, channels in (("heat", 3), ("size", 2), ("offset", 2)):
        heads[key] = L.Conv2D(channels, 1)(L.Conv2D(32, 3, padding="same", activation="relu")(x))
    heads["heat"] = ops.sigmoid(heads["heat"])
    return keras.Model(inputs, heads)
