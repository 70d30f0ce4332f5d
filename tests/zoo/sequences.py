"""Text, speech, time series, and what has a state."""

import keras
from keras import layers as L

from .registry import net


@net
def seq2seq_lstm():
    """An encoder's state starts the decoder."""
    source, target = keras.Input((None, 40), name="source"), keras.Input((None, 50), name="target")
    _, h, c = L.LSTM(64, return_state=True, name="encoder_lstm")(source)
    y, _, _ = L.LSTM(64, return_sequences=True, return_state=True, name="decoder_lstm")(target, initial_state=[h, c])
    return keras.Model([source, target], L.Dense(50, activation="softmax")(y))


@net
def crnn():
    """Convolutions, two recurrent layers both ways, characters out."""
    image = keras.Input((128, 32, 1), name="image")
    x = L.MaxPooling2D()(L.Conv2D(16, 3, activation="relu", padding="same")(image))
    x = L.MaxPooling2D()(L.Conv2D(32, 3, activation="relu", padding="same")(x))
    x = L.Dropout(0.2)(L.Dense(32, activation="relu")(L.Reshape((32, 8 * 32))(x)))
    x = L.Bidirectional(L.LSTM(64, return_sequences=True, dropout=0.25))(x)
    x = L.Bidirectional(L.LSTM(32, return_sequences=True, dropout=0.25))(x)
    return keras.Model(image, L.Dense(40, activation="softmax")(x))


@net
def bilstm_tagger():
    """A mask travels beside the words."""
    words = keras.Input((None,), dtype="int32")
    x = L.Embedding(200, 16, mask_zero=True)(words)
    x = L.Bidirectional(L.LSTM(16, return_sequences=True))(x)
    x = L.Bidirectional(L.LSTM(16, return_sequences=True))(x)
    return keras.Model(words, L.TimeDistributed(L.Dense(9, activation="softmax"))(x))


@net
def stacked_cells():
    """Three cells in one layer."""
    inputs = keras.Input((20, 8))
    x = L.RNN([L.GRUCell(16), L.GRUCell(16), L.GRUCell(8)], return_sequences=True)(inputs)
    return keras.Model(inputs, L.Dense(1)(x))


@net
def conv_lstm():
    """The next frames of a film."""
    inputs = keras.Input((None, 32, 32, 1))
    x = L.BatchNormalization()(L.ConvLSTM2D(16, 5, padding="same", return_sequences=True, activation="relu")(inputs))
    x = L.BatchNormalization()(L.ConvLSTM2D(16, 3, padding="same", return_sequences=True, activation="relu")(x))
    x = L.ConvLSTM2D(16, 1, padding="same", return_sequences=True, activation="relu")(x)
    return keras.Model(inputs, L.Conv3D(1, 3, activation="sigmoid", padding="same")(x))


@net
def tcn():
    """Causal, dilated, residual."""
    inputs = keras.Input((100, 4))
    x = inputs
    for rate in (1, 2, 4, 8):
        y = L.Dropout(0.1)(L.Conv1D(16, 3, dilation_rate=rate, padding="causal", activation="relu")(x))
        y = L.Dropout(0.1)(L.Conv1D(16, 3, dilation_rate=rate, padding="causal", activation="relu")(y))
        if x.shape[-1] != 16:
            x = L.Conv1D(16, 1)(x)
        x = L.Activation("relu")(L.add([x, y]))
    return keras.Model(inputs, L.Dense(1)(x[:, -1]))


@net
def wavenet():
    """Gated activations and summed skips."""
    inputs = keras.Input((256, 1))
    x, skips = L.Conv1D(16, 2, padding="causal")(inputs), []
    for rate in (1, 2, 4, 8, 16):
        filtered = L.Conv1D(16, 2, dilation_rate=rate, padding="causal", activation="tanh")(x)
        gate = L.Conv1D(16, 2, dilation_rate=rate, padding="causal", activation="sigmoid")(x)
        z = L.Multiply()([filtered, gate])
        skips.append(L.Conv1D(16, 1)(z))
        x = L.Add()([x, L.Conv1D(16, 1)(z)])
    y = L.Activation("relu")(L.Add()(skips))
    return keras.Model(inputs, L.Conv1D(256, 1, activation="softmax")(L.Conv1D(32, 1, activation="relu")(y)))


@net
def speech_commands():
    """A spectrogram is an image of unequal sides."""
    inputs = keras.Input((124, 129, 1))
    x = L.Normalization(mean=0.0, variance=1.0)(L.Resizing(32, 32)(inputs))
    x = L.Conv2D(32, 3, activation="relu")(x)
    x = L.MaxPooling2D()(L.Conv2D(64, 3, activation="relu")(x))
    x = L.Dropout(0.5)(L.Dense(128, activation="relu")(L.Flatten()(L.Dropout(0.25)(x))))
    return keras.Model(inputs, L.Dense(8)(x))


@net
def text_cnn():
    """Three widths of window over words."""
    words = keras.Input((60,), dtype="int32")
    x = L.Embedding(500, 32)(words)
    branches = [L.GlobalMaxPooling1D()(L.Conv1D(24, n, activation="relu")(x)) for n in (3, 4, 5)]
    return keras.Model(words, L.Dense(1, activation="sigmoid")(L.Dropout(0.5)(L.concatenate(branches))))


@net
def ecg_resnet():
    """A one-dimensional residual network."""
    inputs = keras.Input((1000, 12))
    x = L.ReLU()(L.BatchNormalization()(L.Conv1D(16, 15, strides=2, padding="same")(inputs)))
    for filters in (16, 32, 64):
        y = L.ReLU()(L.BatchNormalization()(L.Conv1D(filters, 7, strides=2, padding="same")(x)))
        y = L.BatchNormalization()(L.Conv1D(filters, 7, padding="same")(y))
        x = L.ReLU()(L.Add()([y, L.Conv1D(filters, 1, strides=2, padding="same")(x)]))
    return keras.Model(inputs, L.Dense(5, activation="sigmoid")(L.GlobalAveragePooling1D()(x)))


@net
def luong_attention():
    """Dot-product attention between two recurrent layers."""
    source, target = keras.Input((20,), dtype="int32"), keras.Input((15,), dtype="int32")
    encoded = L.GRU(32, return_sequences=True)(L.Embedding(100, 16)(source))
    decoded = L.GRU(32, return_sequences=True)(L.Embedding(100, 16)(target))
    context = L.Attention()([decoded, encoded])
    return keras.Model([source, target], L.Dense(100)(L.Concatenate()([decoded, context])))


@net
def forecaster():
    """Past and known future, three quantiles."""
    past, future = keras.Input((48, 6), name="past"), keras.Input((12, 3), name="future")
    _, state = L.GRU(32, return_state=True)(past)
    y = L.GRU(32, return_sequences=True)(future, initial_state=state)
    return keras.Model([past, future], {f"q{q}": L.Dense(1)(y) for q in (10, 50, 90)})
