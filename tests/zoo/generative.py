"""What makes images, and what compares them."""

import keras
from keras import layers as L
from keras import ops

from .registry import net


class Sampling(L.Layer):
    """Draw from a normal distribution."""

    def call(self, inputs):
        mean, log_variance = inputs
        noise = keras.random.normal(ops.shape(mean))
        return mean + ops.exp(0.5 * log_variance) * noise

    def compute_output_shape(self, shapes):
        return shapes[0]


@net
def vae():
    """Encoder, sampling and decoder, the way Keras's example has them."""
    inputs = keras.Input((28, 28, 1))
    x = L.Conv2D(32, 3, activation="relu", strides=2, padding="same")(inputs)
    x = L.Conv2D(64, 3, activation="relu", strides=2, padding="same")(x)
    x = L.Dense(16, activation="relu")(L.Flatten()(x))
    z_mean, z_log_var = L.Dense(2, name="z_mean")(x), L.Dense(2, name="z_log_var")(x)
    z = Sampling()([z_mean, z_log_var])
    encoder = keras.Model(inputs, [z_mean, z_log_var, z], name="encoder")
    latent = keras.Input((2,))
    x = L.Reshape((7, 7, 64))(L.Dense(7 * 7 * 64, activation="relu")(latent))
    x = L.Conv2DTranspose(64, 3, activation="relu", strides=2, padding="same")(x)
    x = L.Conv2DTranspose(32, 3, activation="relu", strides=2, padding="same")(x)
    decoder = keras.Model(latent, L.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(x), name="decoder")
    images = keras.Input((28, 28, 1))
    mean, log_variance, z = encoder(images)
    return keras.Model(images, {"image": decoder(z), "mean": mean, "log_variance": log_variance})


@net
def dcgan():
    """Generator and discriminator as one model."""
    generator = keras.Sequential(
        [
            keras.Input((64,)),
            L.Dense(4 * 4 * 64, use_bias=False),
            L.BatchNormalization(),
            L.LeakyReLU(negative_slope=0.2),
            L.Reshape((4, 4, 64)),
            L.Conv2DTranspose(32, 4, strides=2, padding="same", use_bias=False),
            L.BatchNormalization(),
            L.LeakyReLU(negative_slope=0.2),
            L.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh"),
        ],
        name="generator",
    )
    discriminator = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            L.Conv2D(32, 4, strides=2, padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.Conv2D(64, 4, strides=2, padding="same"),
            L.LeakyReLU(negative_slope=0.2),
            L.Flatten(),
            L.Dropout(0.2),
            L.Dense(1, activation="sigmoid"),
        ],
        name="discriminator",
    )
    noise = keras.Input((64,))
    return keras.Model(noise, discriminator(generator(noise)))


@net
def pix2pix():
    """A generator with skips at every level."""
    inputs = keras.Input((64, 64, 3))
    x, skips = inputs, []
    for i, filters in enumerate((16, 32, 64, 64, 64)):
        x = L.Conv2D(filters, 4, strides=2, padding="same", use_bias=False)(x)
        x = L.LeakyReLU()(x if i == 0 else L.BatchNormalization()(x))
        skips.append(x)
    for i, (filters, skip) in enumerate(zip((64, 64, 32, 16), reversed(skips[:-1]), strict=True)):
        x = L.BatchNormalization()(L.Conv2DTranspose(filters, 4, strides=2, padding="same", use_bias=False)(x))
        x = L.ReLU()(L.Dropout(0.5)(x) if i < 2 else x)
        x = L.Concatenate()([x, skip])
    return keras.Model(inputs, L.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")(x))


@net
def srgan():
    """Residual blocks, a long skip, two sub-pixel steps."""
    inputs = keras.Input((24, 24, 3))
    x = first = L.PReLU(shared_axes=[1, 2])(L.Conv2D(32, 9, padding="same")(inputs))
    for _ in range(4):
        y = L.PReLU(shared_axes=[1, 2])(L.BatchNormalization()(L.Conv2D(32, 3, padding="same")(x)))
        x = L.Add()([x, L.BatchNormalization()(L.Conv2D(32, 3, padding="same")(y))])
    x = L.Add()([L.BatchNormalization()(L.Conv2D(32, 3, padding="same")(x)), first])
    for _ in range(2):
        x = L.PReLU(shared_axes=[1, 2])(L.UpSampling2D()(L.Conv2D(64, 3, padding="same")(x)))
    return keras.Model(inputs, L.Conv2D(3, 9, padding="same", activation="tanh")(x))


@net
def espcn():
    """Sub-pixel convolution by reshape and transpose."""
    inputs = keras.Input((32, 24, 1))
    x = L.Conv2D(64, 5, padding="same", activation="relu")(inputs)
    x = L.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = L.Conv2D(9, 3, padding="same")(x)
    x = ops.reshape(x, (-1, 32, 24, 3, 3))
    x = ops.transpose(x, (0, 1, 3, 2, 4))
    return keras.Model(inputs, ops.reshape(x, (-1, 96, 72, 1)))


@net
def diffusion_unet():
    """A U-Net that is told the time, with attention at the bottom."""
    image, time = keras.Input((32, 32, 3)), keras.Input((1,))
    angles = time * ops.exp(-ops.arange(16, dtype="float32") * 0.5)
    told = L.Dense(64)(L.Dense(64, activation="swish")(ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)))

    def block(x, filters):
        skip = x if x.shape[-1] == filters else L.Conv2D(filters, 1)(x)
        y = L.Conv2D(filters, 3, padding="same")(L.Activation("swish")(L.GroupNormalization(8)(x)))
        y = L.Add()([y, L.Reshape((1, 1, filters))(L.Dense(filters)(told))])
        y = L.Conv2D(filters, 3, padding="same")(L.Activation("swish")(L.GroupNormalization(8)(y)))
        return L.Add()([y, skip])

    x, skips = L.Conv2D(32, 3, padding="same")(image), []
    for filters in (32, 64):
        x = block(x, filters)
        skips.append(x)
        x = L.Conv2D(filters, 3, strides=2, padding="same")(x)
    x = block(x, 64)
    tokens = L.Reshape((64, 64))(L.GroupNormalization(8)(x))
    x = L.Add()([x, L.Reshape((8, 8, 64))(L.MultiHeadAttention(2, 32)(tokens, tokens))])
    x = block(x, 64)
    for filters, skip in zip((64, 32), reversed(skips), strict=True):
        x = block(L.Concatenate()([L.UpSampling2D()(x), skip]), filters)
    return keras.Model([image, time], L.Conv2D(3, 3, padding="same")(L.GroupNormalization(8)(x)))


def embedding_net():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            L.Conv2D(16, 3, activation="relu"),
            L.MaxPooling2D(),
            L.Conv2D(32, 3, activation="relu"),
            L.GlobalAveragePooling2D(),
            L.Dense(16),
        ]
    )


@net
def siamese():
    """The distance |a - b| of two images through one network."""
    left, right = keras.Input((28, 28, 1)), keras.Input((28, 28, 1))
    embed = embedding_net()
    distance = ops.abs(L.Subtract()([embed(left), embed(right)]))
    return keras.Model([left, right], L.Dense(1, activation="sigmoid")(distance))


@net
def triplet():
    """Anchor, positive and negative."""
    images = [keras.Input((28, 28, 1), name=name) for name in ("anchor", "positive", "negative")]
    embed = embedding_net()
    anchor, positive, negative = (L.UnitNormalization()(embed(image)) for image in images)
    near = ops.sum(ops.square(anchor - positive), -1, keepdims=True)
    far = ops.sum(ops.square(anchor - negative), -1, keepdims=True)
    return keras.Model(images, L.Concatenate()([near, far]))


@net
def autoencoder():
    """Dense, symmetric."""
    inputs = keras.Input((784,))
    x = inputs
    for units in (128, 64, 32, 64, 128):
        x = L.Dense(units, activation="relu")(x)
    return keras.Model(inputs, L.Dense(784, activation="sigmoid")(x))


@net
def clip():
    """Two towers and their cosine similarities."""
    image, words = keras.Input((64, 64, 3), name="image"), keras.Input((16,), dtype="int32", name="words")
    vision = keras.Sequential(
        [
            keras.Input((64, 64, 3)),
            L.Conv2D(16, 3, strides=2, activation="relu"),
            L.Conv2D(32, 3, strides=2, activation="relu"),
            L.GlobalAveragePooling2D(),
            L.Dense(32),
        ],
        name="vision_model",
    )
    tokens = keras.Input((16,), dtype="int32")
    language = keras.Model(
        tokens, L.Dense(32)(L.GlobalAveragePooling1D()(L.Embedding(100, 24)(tokens))), name="language_model"
    )
    a, b = L.UnitNormalization()(vision(image)), L.UnitNormalization()(language(words))
    return keras.Model([image, words], ops.matmul(a, ops.transpose(b)))
