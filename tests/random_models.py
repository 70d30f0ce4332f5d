"""Small functional models made by chance of plain Keras, with names of every sort."""

from __future__ import annotations

from hypothesis import strategies as st
from keras import Input, Model, Sequential, layers, ops

from layerblocks.blocks import weightless

ODD = ("a<b>&c", "größe_1", 'say"no"', "_", "x__y", "block_", "12")


class _Maker:
    """Draws one model. Tensors stay 8×8×4 until something makes them smaller."""

    def __init__(self, draw):
        self.draw, self.count, self.shared, self.dotted = draw, 0, [], draw(st.booleans())

    def name(self, kind):
        """None for Keras's own; else one of a block, or an odd one."""
        self.count += 1
        separator = "." if self.dotted else "_"
        which = self.draw(st.integers(0, 3))
        if which == 0:
            return None
        if which == 1 and not self.dotted:
            return f"{self.draw(st.sampled_from(ODD))}{self.count}"
        return separator.join(
            (f"block{self.draw(st.integers(1, 3))}", self.draw(st.sampled_from("ab")), f"{kind}{self.count}")
        )

    def step(self, x, depth):
        kind = self.draw(
            st.sampled_from(["conv", "norm", "relu", "pool", "run", "fork", "twice", "share", "nest", "op"])
        )
        if kind == "conv":
            return layers.Conv2D(4, self.draw(st.sampled_from([1, 3])), padding="same", name=self.name("conv"))(x)
        if kind == "norm":
            return layers.BatchNormalization(name=self.name("bn"))(x)
        if kind == "relu":
            return layers.ReLU(name=self.name("relu"))(x)
        if kind == "pool":
            return layers.MaxPooling2D(2, padding="same", name=self.name("pool"))(x)
        if kind == "run":
            for _ in range(self.draw(st.integers(2, 4))):
                x = layers.ReLU()(
                    layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same", name=self.name("conv"))(x))
                )
            return x
        if kind == "twice":
            return layers.Add(name=self.name("add"))([x, x])
        if kind == "share":
            if not self.shared or self.draw(st.booleans()):
                self.shared.append(layers.Conv2D(4, 1, name=self.name("shared")))
            return self.draw(st.sampled_from(self.shared))(x)
        if kind == "op":
            return ops.relu(x) + 1.0
        if depth > 1:
            return x
        if kind == "nest":
            u = Input((None, None, 4))
            y = layers.ReLU(name="act")(layers.Conv2D(4, 3, padding="same", name="stem_conv")(u))
            sequential = Sequential([Input((None, None, 4)), layers.Conv2D(4, 1)], name=self.name("chain"))
            return sequential(x) if self.draw(st.booleans()) else Model(u, y, name=self.name("inner"))(x)
        branches = [self.chain(x, depth + 1, 0, 3) for _ in range(self.draw(st.integers(1, 3)))]
        sizes = {tuple(b.shape) for b in [*branches, x]}
        if len(sizes) > 1:
            branches = [layers.Resizing(4, 4)(b) for b in branches]
        elif self.draw(st.booleans()):
            branches.append(x)
        if len(branches) == 1:
            return branches[0]
        if self.draw(st.booleans()):
            return layers.Add(name=self.name("add"))(branches)
        return layers.Conv2D(4, 1)(layers.Concatenate(name=self.name("concat"))(branches))

    def chain(self, x, depth, least, most):
        for _ in range(self.draw(st.integers(least, most))):
            x = self.step(x, depth)
        return x


def random_model(draw):
    """Of one to seven pieces, with one or two inputs, one output or a dict of two; `draw` is that of `st.data()`."""
    make = _Maker(draw)
    with weightless():
        x = Input((8, 8, 4), name="image")
        y = make.chain(x, 0, 1, 7)
        inputs = [x]
        if draw(st.booleans()):
            inputs.append(Input(y.shape[1:], name="other"))
            y = layers.Add(name="meet")([y, inputs[-1]])
        outputs = {"main": layers.Dense(2, name="top")(layers.GlobalAveragePooling2D()(make.chain(y, 0, 0, 3)))}
        if draw(st.booleans()):
            outputs = {"deep": outputs, draw(st.sampled_from(["aux", "side"])): layers.Flatten(name="flat")(y)}
        return Model(inputs, outputs, name="any")
