"""Tokens, attention, recurrence, and nets of several inputs."""

import keras
from keras import layers, ops

from .pairs import conv, mean, pair


@pair("b t d, b s d -> b t s", "inputs (None, 1, 1), (None, 2, 1)")
def scores_of_keys_for_queries(q, k, bug):
    return ops.einsum("btd,bsd->bst" if bug else "btd,bsd->bts", q, k)


@pair("b h w c -> b (h//4)*(w//4)+1 8 where h >= 4, w >= 4", "input (None, 4, 4, 1)", unknown=False)
def class_token_forgotten(x, bug):
    x = layers.Reshape((-1, 8))(conv(x, 8, 4, 4, padding="valid"))
    return x if bug else ops.pad(x, ((0, 0), (1, 0), (0, 0)))


@pair("b h w c -> b (h//4)*(w//4) 8", unknown=False)
def patches_of_what_is_padded(x, bug):
    return layers.Reshape((-1, 8))(conv(x, 8, 4, 4, padding="same" if bug else "valid"))


@pair("b t d -> b t d", "input (None, 1, 1)")
def positions_for_a_fixed_length(x, bug):
    class Positions(keras.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=(16, shape[-1]))

        def call(self, x):
            return x + (self.table if bug else ops.take(self.table, ops.arange(x.shape[1] or 1) % 16, 0))

    return Positions()(x)


@pair("b t d -> b 5", "input (None, 1, 1)")
def whole_sequence_for_the_last_state(x, bug):
    return layers.LSTM(5, return_sequences=bug)(x)


@pair("b t d -> b t 10", "input (None, 1, 1)")
def directions_added(x, bug):
    return layers.Bidirectional(layers.GRU(5, return_sequences=True), merge_mode="sum" if bug else "concat")(x)


@pair("b t d -> b t 4", "input (None, 1, 1)")
def dense_over_time(x, bug):
    if bug:
        return ops.transpose(layers.Dense(4)(ops.transpose(x, (0, 2, 1))), (0, 2, 1))
    return layers.Dense(4)(x)


@pair("b h w 3, b h w 3 -> b 4", "inputs (None, 1, 1, 3), (None, 1, 1, 3)", parameters=9 * 3 * 4 + 4)
def towers_that_share_nothing(x, y, bug):
    tower = layers.Conv2D(4, 3, padding="same")
    return mean(tower(x)) - mean(conv(y, 4) if bug else tower(y))


@pair("b h w c, b h w d -> b 6", "inputs (None, 1, 1, 1), (None, 1, 1, 1)")
def stream_that_is_not_used(x, flow, bug):
    x, flow = layers.Dense(3)(mean(x)), layers.Dense(3)(mean(flow))
    return layers.concatenate([x, x if bug else flow])


@pair("{image: b h w c, time: b d} -> b h w c", "inputs image=(None, 1, 1, 1), time=(None, 1)", broadcasts=True)
def time_added_without_its_axes(image, time, bug):
    time = layers.Dense(image.shape[-1])(time)
    return image + (time if bug else layers.Reshape((1, 1, -1))(time))


@pair("{image: b h w c, mask: b h w} -> b h w c", "inputs image=(None, 1, 1, 1), mask=(None, 1, 1)")
def mask_without_an_axis(image, mask, bug):
    return image * (mask if bug else ops.expand_dims(mask, -1))


@pair("b ... c -> b ... 4", "input (None, 1)")
def rank_that_is_taken_for_four(x, bug):
    return layers.Conv2D(4, 1)(x) if bug else layers.Dense(4)(x)
