"""The arithmetic of every unit and layer once more, in NumPy loops that share nothing with Keras.

Images are `batch height width channels`; kernels lie as in Keras. A padding is "same" in TensorFlow's sense (the odd
pixel goes below and right), "valid", or the number of zeros on every side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from layerblocks.graphs.window_arithmetic import conv_out, extent, pair, windows


def margins(n: int, kernel: int, stride: int, dilation: int, padding: Any) -> tuple[int, int]:
    """Zeros before and after one axis."""
    if padding == "valid":
        return 0, 0
    if padding != "same":
        return pair(padding)
    missing = max((-(-n // stride) - 1) * stride + extent(kernel, dilation) - n, 0)
    return missing // 2, missing - missing // 2


def patches(
    x: np.ndarray, kernel: Any, strides: Any = 1, dilation: Any = 1, padding: Any = "same", fill: float = 0.0
) -> np.ndarray:
    """What each output pixel sees: `batch out_height out_width kernel_height kernel_width channels`."""
    (kh, kw), (sh, sw), (dh, dw) = pair(kernel), pair(strides), pair(dilation)
    ph, pw = pair(padding)
    edges = margins(x.shape[1], kh, sh, dh, ph), margins(x.shape[2], kw, sw, dw, pw)
    x = np.pad(x, ((0, 0), *edges, (0, 0)), constant_values=fill)
    rows, columns = conv_out(x.shape[1], kh, sh, dh, "valid"), conv_out(x.shape[2], kw, sw, dw, "valid")
    out = np.empty((x.shape[0], rows, columns, kh, kw, x.shape[3]))
    for i in range(rows):
        for j in range(columns):
            for a in range(kh):
                for b in range(kw):
                    out[:, i, j, a, b] = x[:, i * sh + a * dh, j * sw + b * dw]
    return out


def conv(x, kernel, bias=0.0, strides=1, dilation=1, groups=1, padding="same"):
    """kernel: `height width channels/groups filters`."""
    seen = patches(x, kernel.shape[:2], strides, dilation, padding)
    inputs, outputs = np.split(seen, groups, axis=-1), np.split(kernel, groups, axis=-1)
    each = [np.einsum("nijabc,abcf->nijf", i, o) for i, o in zip(inputs, outputs, strict=True)]
    return np.concatenate(each, axis=-1) + bias


def depthwise(x, kernel, strides=1, dilation=1, padding="same"):
    """kernel: `height width channels multiplier`; the multiples of one channel are neighbours."""
    seen = patches(x, kernel.shape[:2], strides, dilation, padding)
    out = np.einsum("nijabc,abcm->nijcm", seen, kernel)
    return out.reshape(*out.shape[:3], -1)


def separable(x, depthwise_kernel, pointwise_kernel, bias=0.0, **options):
    return conv(depthwise(x, depthwise_kernel, **options), pointwise_kernel, bias)


def transposed(y, kernel, size, bias=0.0, strides=1, dilation=1, padding="same"):
    """The transpose of the linear map that a convolution from images of `size` to those of y's size is.

    kernel: `height width filters channels`, filters being those of the result.
    """
    (kh, kw), (sh, sw), (dh, dw) = kernel.shape[:2], pair(strides), pair(dilation)
    ph, pw = pair(padding)
    top, left = margins(size[0], kh, sh, dh, ph)[0], margins(size[1], kw, sw, dw, pw)[0]
    out = np.zeros((y.shape[0], *size, kernel.shape[2]))
    for i, j in np.ndindex(y.shape[1:3]):
        for a, b in np.ndindex(kh, kw):
            row, column = i * sh + a * dh - top, j * sw + b * dw - left
            if 0 <= row < size[0] and 0 <= column < size[1]:
                out[:, row, column] += y[:, i, j] @ kernel[a, b].T
    return out + bias


def max_pool(x, window, strides, padding):
    fill = -np.inf if isinstance(padding, str) else 0.0
    return patches(x, window, strides, 1, padding, fill).max(axis=(3, 4))


def avg_pool(x, window, strides, padding):
    fill = np.nan if isinstance(padding, str) else 0.0
    return np.nanmean(patches(x, window, strides, 1, padding, fill), axis=(3, 4))


def adaptive_avg_pool(x, size):
    rows, columns = windows(x.shape[1], size[0]), windows(x.shape[2], size[1])
    means = [[x[:, top:bottom, left:right].mean(axis=(1, 2)) for left, right in columns] for top, bottom in rows]
    return np.array(means).transpose(2, 0, 1, 3)


def response_norm(x, depth=5, k=2.0, alpha=1e-4, beta=0.75):
    """Section 3.3 of the AlexNet paper, as written there; depth is odd."""
    out = np.empty_like(x, dtype=float)
    channels = x.shape[-1]
    for i in range(channels):
        first, last = max(0, i - depth // 2), min(channels - 1, i + depth // 2)
        total = sum(x[..., j].astype(float) ** 2 for j in range(first, last + 1))
        out[..., i] = x[..., i] / (k + alpha * total) ** beta
    return out


def normalised(x, axes, epsilon=1e-3):
    x = x.astype(float)
    mean = x.mean(axis=axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + epsilon)


def group_norm(x, groups, gamma, beta, epsilon=1e-3):
    n, h, w, c = x.shape
    return normalised(x.reshape(n, h, w, groups, c // groups), (1, 2, 4), epsilon).reshape(x.shape) * gamma + beta


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def relu(x):
    return np.maximum(x, 0)
