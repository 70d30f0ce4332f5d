"""Classes, as courses and research code have them."""

import keras
from keras import layers as L

from .registry import net


class Residual(keras.Model):
    """Two convolutions and a way around them."""

    def __init__(self, filters, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = L.Conv2D(filters, 3, padding="same", strides=strides)
        self.conv2 = L.Conv2D(filters, 3, padding="same")
        self.conv3 = L.Conv2D(filters, 1, strides=strides) if use_1x1conv else None
        self.bn1 = L.BatchNormalization()
        self.bn2 = L.BatchNormalization()

    def call(self, x):
        y = keras.activations.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.conv3 is not None:
            x = self.conv3(x)
        return keras.activations.relu(y + x)


class ResNet18(keras.Model):
    """A stem, four stages of two blocks, a dense layer."""

    def __init__(self, classes=10, width=64):
        super().__init__()
        self.stem = L.Conv2D(width, 7, strides=2, padding="same")
        self.bn = L.BatchNormalization()
        self.pool = L.MaxPooling2D(3, strides=2, padding="same")
        self.blocks = []
        for i in range(4):
            filters = width * 2**i
            self.blocks.append(Residual(filters, use_1x1conv=i > 0, strides=2 if i else 1))
            self.blocks.append(Residual(filters))
        self.gap = L.GlobalAveragePooling2D()
        self.fc = L.Dense(classes)

    def call(self, x):
        x = self.pool(keras.activations.relu(self.bn(self.stem(x))))
        for block in self.blocks:
            x = block(x)
        return self.fc(self.gap(x))


@net
def subclassed_resnet18():
    """`class ResNet(keras.Model)`, as the course writes it."""
    model = ResNet18(width=16)
    model(keras.Input((64, 64, 1)))
    return model


class Mlp(L.Layer):
    """A layer with layers inside."""

    def __init__(self, hidden, out, **options):
        super().__init__(**options)
        self.fc1, self.fc2 = L.Dense(hidden, activation="gelu"), L.Dense(out)
        self.drop = L.Dropout(0.1)

    def build(self, shape):
        self.fc1.build(shape)
        self.fc2.build((*shape[:-1], self.fc1.units))
        self.built = True

    def call(self, x):
        return self.fc2(self.drop(self.fc1(x)))


class TransformerBlock(L.Layer):
    """Attention and an MLP, each with a residual."""

    def __init__(self, width, heads, hidden, **options):
        super().__init__(**options)
        self.norm1, self.norm2 = L.LayerNormalization(), L.LayerNormalization()
        self.attention = L.MultiHeadAttention(heads, width // heads)
        self.mlp = Mlp(hidden, width)

    def call(self, x):
        y = self.norm1(x)
        x = x + self.attention(y, y)
        return x + self.mlp(self.norm2(x))


@net
def layers_with_layers():
    """A functional model of user-made layers."""
    inputs = keras.Input((32, 48))
    x = inputs
    for _ in range(3):
        x = TransformerBlock(48, 4, 96)(x)
    return keras.Model(inputs, L.Dense(4)(L.GlobalAveragePooling1D()(x)))


class TwoStream(keras.Model):
    """Frames and flow, averaged."""

    def __init__(self):
        super().__init__()
        self.spatial = keras.Sequential([L.Conv2D(16, 3, activation="relu"), L.GlobalAveragePooling2D(), L.Dense(5)])
        self.temporal = keras.Sequential([L.Conv2D(16, 3, activation="relu"), L.GlobalAveragePooling2D(), L.Dense(5)])

    def call(self, inputs):
        frame, flow = inputs
        return (self.spatial(frame) + self.temporal(flow)) / 2


@net
def subclassed_two_stream():
    """Two inputs to one class."""
    model = TwoStream()
    model([keras.Input((32, 32, 3)), keras.Input((32, 32, 10))])
    return model


class DynamicDepth(keras.Model):
    """A loop whose length only numbers decide: nothing can trace it."""

    def __init__(self):
        super().__init__()
        self.cell = L.Dense(8)

    def call(self, x):
        for _ in range(int(keras.ops.sum(x)) % 3):
            x = self.cell(x)
        return x


@net
def untraceable():
    """Built, and a closed box for everybody."""
    import numpy as np

    model = DynamicDepth()
    model(np.ones((1, 8), "float32"))
    return model
