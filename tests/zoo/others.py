"""Graphs, tables, films, and pieces that come from anywhere."""

import keras
from keras import layers as L
from keras import ops

from .registry import net


@net
def gcn():
    """Graph convolution: the adjacency matrix times the features."""
    nodes, adjacency = keras.Input((30, 16)), keras.Input((30, 30))
    x = L.ReLU()(ops.matmul(adjacency, L.Dense(32, use_bias=False)(nodes)))
    x = L.ReLU()(ops.matmul(adjacency, L.Dense(32, use_bias=False)(x)))
    return keras.Model([nodes, adjacency], L.Dense(7)(L.GlobalAveragePooling1D()(x)))


@net
def gcn_by_dot():
    """The same by the layer."""
    nodes, adjacency = keras.Input((30, 16)), keras.Input((30, 30))
    x = L.Dot(axes=(2, 1))([adjacency, L.Dense(32)(nodes)])
    return keras.Model([nodes, adjacency], L.Dense(7, activation="softmax")(L.ReLU()(x)))


@net
def gated_tabular():
    """Gated residual units on columns of a table."""
    numbers = [keras.Input((1,), name=f"column{i}") for i in range(4)]
    category = keras.Input((1,), dtype="int32", name="category")
    columns = [L.Dense(16)(x) for x in numbers] + [L.Flatten()(L.Embedding(12, 16)(category))]
    gated = []
    for x in columns:
        y = L.Dropout(0.1)(L.Dense(16)(L.Dense(16, activation="elu")(x)))
        y = L.Multiply()([L.Dense(16)(y), L.Dense(16, activation="sigmoid")(y)])
        gated.append(L.LayerNormalization()(L.Add()([x, y])))
    weights = L.Softmax()(L.Dense(5)(L.Concatenate()(columns)))
    x = ops.sum(ops.stack(gated, axis=1) * ops.expand_dims(weights, -1), axis=1)
    return keras.Model([*numbers, category], L.Dense(1, activation="sigmoid")(x))


@net
def wide_and_deep():
    """A linear part beside a deep one."""
    wide, deep = keras.Input((40,), name="wide"), keras.Input((12,), name="deep")
    x = deep
    for units in (64, 32, 16):
        x = L.ReLU()(L.BatchNormalization()(L.Dense(units)(x)))
    return keras.Model([wide, deep], L.Dense(1, activation="sigmoid")(L.concatenate([wide, x])))


@net
def factorization():
    """Users times items, with biases."""
    user, item = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    product = L.Dot(axes=2)([L.Embedding(100, 8)(user), L.Embedding(200, 8)(item)])
    score = L.Add()([product, L.Embedding(100, 1)(user), L.Embedding(200, 1)(item)])
    return keras.Model([user, item], L.Activation("sigmoid")(L.Flatten()(score)))


@net
def two_stream_video():
    """A network for every frame, then recurrence; beside it one of optical flow."""
    frames, flow = keras.Input((8, 48, 48, 3), name="frames"), keras.Input((48, 48, 16), name="flow")
    cnn = keras.Sequential(
        [
            keras.Input((48, 48, 3)),
            L.Conv2D(16, 3, strides=2, activation="relu"),
            L.Conv2D(32, 3, strides=2, activation="relu"),
            L.GlobalAveragePooling2D(),
        ]
    )
    a = L.GRU(32)(L.TimeDistributed(cnn)(frames))
    x = L.MaxPooling2D()(L.Conv2D(16, 5, strides=2, activation="relu")(flow))
    b = L.Dense(32, activation="relu")(L.Flatten()(x))
    return keras.Model([frames, flow], L.Dense(6, activation="softmax")(L.Average()([a, b])))


@net
def c3d():
    """Films as volumes."""
    inputs = keras.Input((16, 56, 56, 3))
    x = L.MaxPooling3D((1, 2, 2))(L.Conv3D(16, 3, activation="relu", padding="same")(inputs))
    x = L.MaxPooling3D(2)(L.Conv3D(32, 3, activation="relu", padding="same")(x))
    x = L.MaxPooling3D(2)(L.Conv3D(64, 3, activation="relu", padding="same")(x))
    return keras.Model(inputs, L.Dense(5, activation="softmax")(L.GlobalAveragePooling3D()(x)))


@net
def r2plus1d():
    """Space, then time."""
    inputs = keras.Input((8, 32, 32, 3))

    def factored(x, filters, strides=1):
        x = L.Conv3D(filters, (1, 3, 3), strides=(1, strides, strides), padding="same")(x)
        return L.Conv3D(filters, (3, 1, 1), padding="same")(x)

    x = L.ReLU()(L.BatchNormalization()(factored(inputs, 16, 2)))
    for filters in (16, 32):
        y = L.ReLU()(L.LayerNormalization()(factored(x, filters)))
        y = L.LayerNormalization()(factored(y, filters))
        x = L.add([y, x if x.shape[-1] == filters else L.LayerNormalization()(L.Dense(filters)(x))])
    return keras.Model(inputs, L.Dense(4)(L.GlobalAveragePooling3D()(x)))


@net
def efficientnet_like():
    """Inverted residuals with squeeze and excitation."""
    inputs = keras.Input((64, 64, 3))
    x = L.Activation("swish")(
        L.BatchNormalization()(L.Conv2D(16, 3, strides=2, padding="same", use_bias=False)(inputs))
    )
    for filters, strides in ((16, 1), (24, 2), (24, 1), (40, 2), (40, 1)):
        wide = 4 * x.shape[-1]
        y = L.Activation("swish")(L.BatchNormalization()(L.Conv2D(wide, 1, use_bias=False)(x)))
        y = L.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(y)
        y = L.Activation("swish")(L.BatchNormalization()(y))
        s = L.Reshape((1, 1, wide))(L.GlobalAveragePooling2D()(y))
        s = L.Conv2D(wide, 1, activation="sigmoid")(L.Conv2D(wide // 16, 1, activation="swish")(s))
        y = L.BatchNormalization()(L.Conv2D(filters, 1, use_bias=False)(L.multiply([y, s])))
        x = L.add([x, L.Dropout(0.2, noise_shape=(None, 1, 1, 1))(y)]) if strides == 1 and filters == x.shape[-1] else y
    return keras.Model(inputs, L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(x)))


@net
def transfer_learning():
    """A frozen backbone inside, augmentation before it, a new head after it."""
    base = keras.applications.MobileNetV2(input_shape=(96, 96, 3), include_top=False, weights=None)
    base.trainable = False
    inputs = keras.Input((96, 96, 3))
    x = L.RandomRotation(0.1)(L.RandomFlip("horizontal")(inputs))
    x = base(L.Rescaling(1 / 127.5, offset=-1)(x), training=False)
    x = L.Dropout(0.2)(L.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, L.Dense(3, activation="softmax")(x))


@net
def inception_by_hand():
    """Two modules of four branches."""
    inputs = keras.Input((32, 32, 3))
    x = L.Conv2D(32, 3, padding="same", activation="relu")(inputs)
    for a, b, c, d in ((16, 32, 8, 8), (32, 48, 16, 16)):
        one = L.Conv2D(a, 1, activation="relu")(x)
        three = L.Conv2D(b, 3, padding="same", activation="relu")(L.Conv2D(b // 2, 1, activation="relu")(x))
        five = L.Conv2D(c, 5, padding="same", activation="relu")(L.Conv2D(c // 2, 1, activation="relu")(x))
        pool = L.Conv2D(d, 1, activation="relu")(L.MaxPooling2D(3, strides=1, padding="same")(x))
        x = L.concatenate([one, three, five, pool])
    return keras.Model(inputs, L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(x)))


@net
def mixture_of_experts():
    """Eight experts side by side, weighted by a gate."""
    inputs = keras.Input((32,))
    experts = ops.stack([L.Dense(16)(L.Dense(64, activation="relu")(inputs)) for _ in range(8)], axis=1)
    gate = L.Dense(8, activation="softmax")(inputs)
    return keras.Model(inputs, ops.einsum("be,bed->bd", gate, experts))


@net
def split_heads():
    """Three parts of one tensor to three layers."""
    inputs = keras.Input((16, 12))
    a, b, c = ops.split(inputs, [2, 6], axis=-1)
    return keras.Model(inputs, L.Concatenate()([L.Dense(4)(a), L.Dense(8)(b), L.Dense(12)(c)]))


@net
def shared_six_times():
    """One convolution called again and again."""
    inputs = keras.Input((16, 16, 8))
    conv, x = L.Conv2D(8, 3, padding="same", activation="relu"), inputs
    for _ in range(6):
        x = conv(x)
    return keras.Model(inputs, L.GlobalMaxPooling2D()(x))


@net
def dueling_dqn():
    """Value and advantage."""
    inputs = keras.Input((84, 84, 4))
    x = L.Conv2D(32, 8, strides=4, activation="relu")(L.Rescaling(1 / 255)(inputs))
    x = L.Conv2D(64, 3, activation="relu")(L.Conv2D(64, 4, strides=2, activation="relu")(x))
    x = L.Flatten()(x)
    value = L.Dense(1)(L.Dense(128, activation="relu")(x))
    advantage = L.Dense(6)(L.Dense(128, activation="relu")(x))
    return keras.Model(inputs, value + advantage - ops.mean(advantage, axis=1, keepdims=True))


@net
def actor_critic():
    """Two heads on one trunk."""
    inputs = keras.Input((8,))
    x = L.Dense(64, activation="tanh")(inputs)
    return keras.Model(inputs, {"policy": L.Dense(4, activation="softmax")(x), "value": L.Dense(1)(x)})


@net
def pointnet():
    """Shared dense layers over points, a transform of the input."""
    points = keras.Input((128, 3))
    t = L.GlobalMaxPooling1D()(L.Dense(64, activation="relu")(L.Dense(32, activation="relu")(points)))
    transform = L.Reshape((3, 3))(L.Dense(9)(t))
    x = L.Dot(axes=(2, 1))([points, transform])
    x = L.Dense(128, activation="relu")(L.Dense(64, activation="relu")(x))
    return keras.Model(points, L.Dense(10, activation="softmax")(L.GlobalMaxPooling1D()(x)))


@net
def audio_frontend():
    """Raw sound in, a residual network after learned filters."""
    inputs = keras.Input((16000, 1))
    x = L.Conv1D(32, 80, strides=4, padding="same", activation="relu")(inputs)
    for filters in (32, 64, 128):
        x = L.MaxPooling1D(4)(L.ReLU()(L.BatchNormalization()(L.Conv1D(filters, 3, padding="same")(x))))
    return keras.Model(inputs, L.Dense(10, activation="softmax")(L.GlobalAveragePooling1D()(x)))
