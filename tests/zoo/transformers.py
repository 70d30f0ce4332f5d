"""Attention in its many forms."""

import keras
from keras import layers as L
from keras import ops

from .registry import net


def encoder_block(x, heads, width, hidden, dropout=0.1):
    """Pre-norm."""
    y = L.LayerNormalization(epsilon=1e-6)(x)
    y = L.MultiHeadAttention(heads, width // heads, dropout=dropout)(y, y)
    x = L.Add()([x, y])
    y = L.LayerNormalization(epsilon=1e-6)(x)
    y = L.Dropout(dropout)(L.Dense(hidden, activation="gelu")(y))
    return L.Add()([x, L.Dense(width)(y)])


class PatchEmbedding(L.Layer):
    """Patches with a class token and learned positions."""

    def __init__(self, patch, width, **options):
        super().__init__(**options)
        self.patch, self.width = patch, width
        self.project = L.Conv2D(width, patch, strides=patch)

    def build(self, shape):
        self.project.build(shape)
        count = (shape[1] // self.patch) * (shape[2] // self.patch)
        self.token = self.add_weight(shape=(1, 1, self.width), name="token")
        self.position = self.add_weight(shape=(1, count + 1, self.width), name="position")

    def call(self, x):
        x = self.project(x)
        x = ops.reshape(x, (-1, x.shape[1] * x.shape[2], self.width))
        token = ops.broadcast_to(self.token, (ops.shape(x)[0], 1, self.width))
        return ops.concatenate([token, x], axis=1) + self.position

    def compute_output_shape(self, shape):
        return (shape[0], (shape[1] // self.patch) * (shape[2] // self.patch) + 1, self.width)


@net
def vit():
    """A small vision transformer with a class token."""
    inputs = keras.Input((64, 64, 3))
    x = PatchEmbedding(8, 64)(inputs)
    for _ in range(4):
        x = encoder_block(x, 4, 64, 128)
    x = L.LayerNormalization(epsilon=1e-6)(x)[:, 0]
    return keras.Model(inputs, L.Dense(10)(x))


@net
def vit_by_ops():
    """The same from reshapes alone, with a mean instead of the token."""
    inputs = keras.Input((32, 32, 3))
    x = L.Reshape((64, 48))(ops.transpose(ops.reshape(inputs, (-1, 8, 4, 8, 4, 3)), (0, 1, 3, 2, 4, 5)))
    x = L.Dense(48)(x)
    x = x + L.Embedding(64, 48)(ops.arange(64))
    for _ in range(2):
        x = encoder_block(x, 4, 48, 96)
    return keras.Model(inputs, L.Dense(10, activation="softmax")(ops.mean(x, axis=1)))


@net
def prenorm_encoder():
    """Alternating attention and feed-forward, four times."""
    x = inputs = keras.Input((16, 32))
    for _ in range(4):
        y = L.LayerNormalization()(x)
        x = L.Add()([x, L.MultiHeadAttention(2, 16)(y, y)])
        y = L.LayerNormalization()(x)
        x = L.Add()([x, L.Dense(32)(L.Dense(64, activation="gelu")(y))])
    return keras.Model(inputs, x)


@net
def postnorm_encoder():
    """The order of 2017."""
    inputs = keras.Input((24, 64))
    x = inputs
    for _ in range(3):
        x = L.LayerNormalization()(x + L.Dropout(0.1)(L.MultiHeadAttention(4, 16)(x, x)))
        x = L.LayerNormalization()(x + L.Dropout(0.1)(L.Dense(64)(L.Dense(128, activation="relu")(x))))
    return keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling1D()(x)))


@net
def encoder_decoder():
    """Translation: embeddings with masks, causal and cross attention."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    x = L.Embedding(500, 32, mask_zero=True)(source)
    for _ in range(2):
        x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(2, 16)(x, x)]))
        x = L.LayerNormalization()(L.Add()([x, L.Dense(32)(L.Dense(64, activation="relu")(x))]))
    y = L.Embedding(400, 32, mask_zero=True)(target)
    for _ in range(2):
        y = L.LayerNormalization()(L.Add()([y, L.MultiHeadAttention(2, 16)(y, y, use_causal_mask=True)]))
        y = L.LayerNormalization()(L.Add()([y, L.MultiHeadAttention(2, 16)(y, x)]))
        y = L.LayerNormalization()(L.Add()([y, L.Dense(32)(L.Dense(64, activation="relu")(y))]))
    return keras.Model([source, target], L.Dense(400)(y))


@net
def gpt():
    """Causal, with tied positions and a language-model head."""
    tokens = keras.Input((64,), dtype="int32")
    x = L.Embedding(1000, 64)(tokens) + L.Embedding(64, 64)(ops.arange(64))
    for _ in range(4):
        y = L.LayerNormalization()(x)
        x = x + L.MultiHeadAttention(4, 16)(y, y, use_causal_mask=True)
        y = L.LayerNormalization()(x)
        x = x + L.Dense(64)(L.Dense(256, activation="gelu")(y))
    return keras.Model(tokens, L.Dense(1000)(L.LayerNormalization()(x)))


@net
def bert():
    """Three embeddings, a stack, and two heads."""
    tokens, segments = keras.Input((48,), dtype="int32"), keras.Input((48,), dtype="int32")
    x = L.Add()([L.Embedding(800, 48)(tokens), L.Embedding(2, 48)(segments)]) + L.Embedding(48, 48)(ops.arange(48))
    x = L.Dropout(0.1)(L.LayerNormalization()(x))
    for _ in range(3):
        x = L.LayerNormalization()(L.Add()([x, L.MultiHeadAttention(4, 12)(x, x)]))
        x = L.LayerNormalization()(L.Add()([x, L.Dense(48)(L.Dense(96, activation="gelu")(x))]))
    words = L.Dense(800, name="masked_words")(L.Dense(48, activation="gelu")(x))
    following = L.Dense(2, name="next_sentence")(L.Dense(48, activation="tanh")(x[:, 0]))
    return keras.Model([tokens, segments], [words, following])


@net
def attention_by_hand():
    """Query, key and value as three dense layers."""
    inputs = keras.Input((256, 32))
    q, k, v = L.Dense(32)(inputs), L.Dense(32)(inputs), L.Dense(32)(inputs)
    weights = ops.softmax(q @ ops.transpose(k, (0, 2, 1)) / 32**0.5)
    return keras.Model(inputs, weights @ v)


@net
def mixer():
    """MLP-Mixer: over tokens, then over channels."""
    inputs = keras.Input((32, 32, 3))
    x = L.Reshape((64, 64))(L.Conv2D(64, 4, strides=4)(inputs))
    for _ in range(3):
        y = L.Permute((2, 1))(L.LayerNormalization()(x))
        y = L.Permute((2, 1))(L.Dense(64)(L.Dense(32, activation="gelu")(y)))
        x = L.Add()([x, y])
        y = L.Dense(64)(L.Dense(128, activation="gelu")(L.LayerNormalization()(x)))
        x = L.Add()([x, y])
    return keras.Model(inputs, L.Dense(10)(L.GlobalAveragePooling1D()(x)))


@net
def mobilevit_block():
    """Convolutions around a transformer over unfolded patches."""
    inputs = keras.Input((32, 32, 32))
    x = L.Conv2D(32, 3, padding="same", activation="swish")(inputs)
    y = L.Reshape((256, 4, 48))(L.Conv2D(48, 1, activation="swish")(x))
    for _ in range(2):
        y = encoder_block(y, 2, 48, 96)
    y = L.Conv2D(32, 1, activation="swish")(L.Reshape((32, 32, 48))(y))
    return keras.Model(inputs, L.Conv2D(32, 3, padding="same", activation="swish")(L.Concatenate()([inputs, y])))


@net
def convmixer():
    """Depthwise residuals (Trockman and Kolter 2022)."""
    inputs = keras.Input((32, 32, 3))
    x = L.BatchNormalization()(L.Activation("gelu")(L.Conv2D(64, 2, strides=2)(inputs)))
    for _ in range(4):
        y = L.DepthwiseConv2D(5, padding="same")(x)
        x = L.Add()([L.BatchNormalization()(L.Activation("gelu")(y)), x])
        x = L.BatchNormalization()(L.Activation("gelu")(L.Conv2D(64, 1)(x)))
    return keras.Model(inputs, L.Dense(10, activation="softmax")(L.GlobalAveragePooling2D()(x)))


@net
def perceiver():
    """A few latents look at many tokens."""
    inputs = keras.Input((196, 24))
    latents = L.Embedding(16, 32)(ops.arange(16))
    x = L.Dense(32)(ops.mean(inputs, axis=1, keepdims=True)) + latents
    for _ in range(2):
        x = L.Add()([x, L.MultiHeadAttention(1, 32)(L.LayerNormalization()(x), L.LayerNormalization()(inputs))])
        x = encoder_block(x, 4, 32, 64)
    return keras.Model(inputs, L.Dense(5)(L.GlobalAveragePooling1D()(x)))


@net
def grouped_query_lm():
    """Grouped-query attention, RMS norm and a gated feed-forward."""
    tokens = keras.Input((32,), dtype="int32")
    x = L.Embedding(300, 64)(tokens)
    for _ in range(2):
        y = L.RMSNormalization()(x)
        x = x + L.GroupQueryAttention(16, 4, 2)(y, y, use_causal_mask=True)
        y = L.RMSNormalization()(x)
        x = x + L.Dense(64, use_bias=False)(
            L.Dense(128, activation="silu", use_bias=False)(y) * L.Dense(128, use_bias=False)(y)
        )
    return keras.Model(tokens, L.Dense(300, use_bias=False)(L.RMSNormalization()(x)))
