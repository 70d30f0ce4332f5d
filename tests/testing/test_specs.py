"""The shape language: what it reads, what it makes of sizes, and where it says that it does not understand."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from fractions import Fraction
from functools import partial

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerblocks.blocks import conv
from layerblocks.testing import CheckError, Spec, SpecError, assert_shape, check_net
from layerblocks.testing.specs import ANYTHING

NAMES = ("h", "w", "filters")


# What expressions are worth: each is built with its value beside it.


@st.composite
def expressions(draw, names, depth=3, rounded=False):
    """Text, and its value as an exact fraction; whole unless `rounded`, the inside of a ceil or floor."""
    kinds = ["number", "name"] + (["sum", "product", "parentheses", "min", "round", "floor division"] if depth else [])
    kind = draw(st.sampled_from(kinds + (["division"] if rounded and depth else [])))
    part = expressions(names, depth - 1, rounded)
    if kind == "number":
        number = draw(st.integers(0, 20))
        return str(number), Fraction(number)
    if kind == "name":
        name = draw(st.sampled_from(sorted(names)))
        return name, Fraction(names[name])
    if kind == "round":
        text, value = draw(expressions(names, depth - 1, True))
        function = draw(st.sampled_from([math.ceil, math.floor]))
        blank = draw(st.sampled_from(["", " "]))
        return f"{function.__name__}({blank}{text}{blank})", Fraction(function(value))
    if kind == "min":
        parts = draw(st.lists(part, min_size=1, max_size=3))
        function = draw(st.sampled_from([min, max]))
        return f"{function.__name__}({', '.join(t for t, _ in parts)})", function(value for _, value in parts)
    a, b = draw(part), draw(part)
    if kind == "parentheses":
        return f"({a[0]})", a[1]
    if kind == "sum":
        sign = draw(st.sampled_from("+-"))
        return f"{a[0]}{sign}({b[0]})", a[1] + b[1] if sign == "+" else a[1] - b[1]
    if kind == "product":
        return f"({a[0]})*({b[0]})", a[1] * b[1]
    divisor = draw(st.integers(1, 5))
    if kind == "division":
        return f"({a[0]})/{divisor}", a[1] / divisor
    return f"({a[0]})//{divisor}", Fraction(a[1] // divisor)


@given(st.data(), st.fixed_dictionaries({name: st.integers(0, 100) for name in NAMES}))
def test_expressions_have_their_exact_value(data, sizes):
    text, value = data.draw(expressions(sizes))
    assert Spec.parse(text).expected(**sizes) == (value,)


@given(st.data(), st.fixed_dictionaries({name: st.integers(1, 100) for name in NAMES}))
def test_what_is_made_of_an_unknown_size_is_unknown(data, sizes):
    text, _ = data.draw(expressions(sizes))
    spec = Spec.parse(text)
    (got,) = spec.expected(**{**sizes, "h": None})
    assert (got is None) == ("h" in spec.free)


@pytest.mark.parametrize(
    "text, sizes, expected",
    [
        ("h+2*w-1", {"h": 3, "w": 4}, 10),
        ("h-2-1", {"h": 7}, 4),
        ("h-2*2//3", {"h": 7}, 6),
        ("h//2*2", {"h": 7}, 6),
        ("-1 + h", {"h": 7}, None),
        ("ceil(h/2/2)", {"h": 5}, 2),
        ("floor((h-3)/2)+1", {"h": 1}, 0),
        ("ceil(10000000000000001/2)", {}, 5000000000000001),  # a float would lose the last digit
    ],
)
def test_order_of_operations(text, sizes, expected):
    if expected is None:
        with pytest.raises(SpecError):
            Spec.parse(text)
    else:
        assert Spec.parse(text).expected(**sizes) == (expected,)


# What is no spec.


@pytest.mark.parametrize(
    "text, at, words",
    [
        ("b h - 2 w", 4, "no blanks around it, as in h-2"),
        ("b h+ w", 3, "no blanks around '+'"),
        ("b h/2", 3, "'/' must stand inside ceil( ) or floor( )"),
        ("b ceil(h/2 w", 6, "')' expected for this one"),
        ("b h+_ w", 4, "'_' stands alone"),
        ("b _*2", 3, "'_' stands alone"),
        ("b ceil(_)", 7, "'_' stands alone"),
        ("b 2h", 3, "a blank expected"),
        ("b ciel(h/2)", 2, "did you mean 'ceil'?"),
        ("b __import__('os')", 13, "not of the shape language"),
        ("b h.w", 3, "not of the shape language"),
        ("b h -> b -> c", 9, "end expected"),
        ("b h+1 -> b", 3, "before the arrow"),
        ("b h -> {a: b, a: b}", 14, "a second 'a'"),
        ("b h -> {a b}", 10, "':' expected after the key 'a'"),
        ("b h -> {a: b", 12, "'}' expected"),
        ("{a: b+1} -> b", 5, "before the arrow"),
        ("b h, c w+2 -> b", 8, "before the arrow"),
        ("b ... *d", 6, "a second of"),
        ("b c? ...", 5, "a second of"),
        ("b * h", 2, "'*' lacks what stands before it"),
        ("b #_", 3, "the name of an axis expected"),
        ("g32[b h]", 0, "a dtype such as f32, int or bool expected"),
        ("flaot[b h]", 0, "did you mean 'float'?"),
        ("f32[b h", 3, "']' expected"),
        ("b h]", 3, "']' without a '['"),
        ("b h -> b c?", 9, "stands on no input"),
        ("b h where", 9, "the spec ends too early"),
        ("b h where h", 11, "a comparison expected"),
        ("b h where h >= 3, w = 2", 20, "not of the shape language"),
        ("b h where h >= 3 w", 17, "end expected after the condition"),
        ("b prod(h)", 7, "'...' or a name such as *dims"),
        ("b h .. w", 4, "not of the shape language"),
        ("b 1234567890123456789", 2, "more than 18 digits"),
        ("b " + "(" * 40, 32, "more than 30 parentheses"),
        ("b min()", 6, "a dimension expected, not ')'"),
        ("b h**2", 4, "'*' lacks what stands before it"),
        ("b ceil(h, 2)", 6, "')' expected"),
    ],
)
def test_errors_point_at_the_character(text, at, words):
    with pytest.raises(SpecError) as caught:
        Spec.parse(text)
    assert words in str(caught.value)
    _, shown, mark = str(caught.value).splitlines()
    assert shown.strip() == text and mark.index("^") - 4 == at == caught.value.at


def test_a_check_names_itself_and_the_spec():
    for call in (partial(check_net, conv), partial(assert_shape, np.zeros((1, 2, 3, 4)))):
        with pytest.raises(SpecError) as caught:
            call("b 2*h w c -> b h w c")
        first, shown, mark = str(caught.value).splitlines()
        assert re.match(r"(check_net|assert_shape): spec must be of the shape language: a name, an integer or _", first)
        assert shown[mark.index("^")] == "*" and len(mark) <= len(shown)


def test_a_long_spec_is_shown_where_it_is_wrong():
    text = "b " + "h " * 500 + "\x1b! " + "w " * 500
    with pytest.raises(SpecError) as caught:
        Spec.parse(text)
    first, shown, mark = str(caught.value).splitlines()
    assert len(first) <= 500 and len(shown) <= 130 and shown[mark.index("^")] == "?"
    assert text[caught.value.at] == "\x1b" and str(caught.value).replace("\n", "").isprintable()


@given(st.text(st.sampled_from("bhw12_ +-*/(),:{}>ceilfloormnax\n"), max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        spec = Spec.parse(text)
    except SpecError as error:
        assert 0 <= error.at <= len(text)
    else:
        assert Spec.parse(spec.text) == spec


@pytest.mark.parametrize("spec", [3, None, ["b h"], {1: "b h"}, {"a": 2}])
def test_a_spec_is_text(spec):
    with pytest.raises(TypeError, match="spec must be"):
        Spec.parse(spec)


def test_a_dict_of_specs_has_one_left_side():
    spec = Spec.parse({"main": "b h w c -> b k", "maps": "b h w c  ->  b h//2 w//2 _"})
    assert spec.expected((None, 7, 5, 3), k=10) == {"main": (None, 10), "maps": (None, 3, 2, ANYTHING)}
    with pytest.raises(ValueError, match="spec must be of one left side for all outputs, got 'b h' and 'b w'"):
        Spec.parse({"a": "b h -> b", "b": "b w -> b"})


# Several tensors, any number of axes, dtypes, conditions.


@pytest.mark.parametrize(
    "text, given, sizes, expected",
    [
        ("b h w c, b t d -> b ceil(h/4) ceil(w/4) f", [(1, 7, 9, 3), (1, 5, 6)], {"f": 2}, (1, 2, 3, 2)),
        ("b h w c, b 2*h 2*w d -> b 2*h 2*w c+d", [(1, 2, 3, 4), (1, 4, 6, 5)], {}, (1, 4, 6, 9)),
        ("b h w c, b s*h s*w d -> b h d", [(1, 2, 3, 4), (1, 6, 9, 5)], {"s": 3}, (1, 2, 5)),
        ("{a: b h, t: b} -> {y: b h, z: b}", {"t": (2,), "a": (2, 5)}, {}, {"y": (2, 5), "z": (2,)}),
        ("b h -> b 1, b h+1", (2, 5), {}, {0: (2, 1), 1: (2, 6)}),
        ("b ... c -> b ... 5", (2, 7, 8, 9, 3), {}, (2, 7, 8, 9, 5)),
        ("b ... c -> b ... 5", (2, 3), {}, (2, 5)),
        ("*dims c -> c *dims", (2, None, 3), {}, (3, 2, None)),
        ("b *dims -> b prod(*dims)", (2, 3, 4), {}, (2, 12)),
        ("b ... -> b prod(...)", (2, 3, None), {}, (2, None)),
        ("b ... -> b prod(...)", (2,), {}, (2, 1)),
        ("b h w c? -> b c? h*c", (2, 5, 6, 3), {}, (2, 3, 15)),
        ("b h w c? -> b c? h*c", (2, 5, 6), {}, (2, 5)),
        ("b h c, b #h #c -> b h c", [(2, 5, 3), (2, 1, 3)], {}, (2, 5, 3)),
        ("#b h, #b h -> b h", [(1, 5), (4, 5)], {}, (4, 5)),
        ("#b h, #b h -> b h", [(1, 5), (1, 5)], {}, (1, 5)),
        ("b h -> b h%3", (2, 5), {}, (2, 2)),
        ("f32[b h] -> int[b]", (2, 5), {}, (2,)),
    ],
)
def test_several_tensors_and_any_number_of_axes(text, given, sizes, expected):
    assert Spec.parse(text).expected(given, **sizes) == expected


@pytest.mark.parametrize(
    "text, given, words",
    [
        ("b h, b h -> b", [(1, 7), (1, 8)], r"1: \(1, 8\) does not fit .* axis 1 is 8, but h is 7"),
        ("b h, b 2*h -> b", [(1, 7), (1, 15)], r"axis 1 is 15, but 2\*h is 14"),
        ("b h, b 2*h -> b", [(1, 7)], "is of 2 tensors 0, 1, not of 0"),
        ("{a: b, c: b} -> b", {"a": (1,)}, "is of 2 tensors a, c, not of a"),
        ("b ... c -> b", (1,), "has 1 axes, not the 2 at least"),
        ("b h c? -> b", (1, 2, 3, 4), "has 4 axes, not the 2 at least"),
        ("b ..., b ... -> b", [(1, 7), (1, 7, 7)], r"\.\.\. is \(7, 7\), but it is \(7,\)"),
        ("b h, b #h -> b", [(1, 7), (1, 3)], r"axis 1 is 3, but #h is 1\|7"),
        ("b h -> b where h % 8 == 0, h >= 32", (1, 36), "h % 8 == 0 must hold, but h is 36"),
        ("b h -> b where h % 8 == 0, h >= 32", (1, 24), "h >= 32 must hold, but h is 24"),
        ("b h w -> b where 2 <= h < w", (1, 5, 5), "h < w must hold, but h is 5, w is 5"),
        ("b h w -> b where 2 <= h < w", (1, 1, 5), "2 <= h must hold, but h is 1"),
        ("b h -> b where h/2 > 3", (1, 6), "h/2 > 3 must hold"),
    ],
)
def test_inputs_that_do_not_fit(text, given, words):
    with pytest.raises(ValueError, match=words):
        Spec.parse(text).bind(given)


def test_a_condition_on_an_unknown_size_is_not_refused():
    assert Spec.parse("b h -> b where h >= 32").bind((1, None)) == {"b": 1, "h": None}


@pytest.mark.parametrize("word, fits", [("f32", {"float32"}), ("float", {"float32", "float16", "float64"})])
def test_dtypes(word, fits):
    for name in ("float16", "float32", "float64", "int32", "bool"):
        x = np.zeros((2, 3), name)
        if name in fits:
            assert_shape(x, f"{word}[b h]")
        else:
            with pytest.raises(CheckError, match=f"the dtype: {word} expected, got {name}"):
                assert_shape(x, f"{word}[b h]")


@pytest.mark.parametrize(
    ("short", "dtype"),
    {
        "bf16": "bfloat16",
        **{f"f{bits}": f"float{bits}" for bits in ("16", "32", "64")},
        **{f"i{bits}": f"int{bits}" for bits in ("8", "16", "32", "64")},
        **{f"u{bits}": f"uint{bits}" for bits in ("8", "16", "32", "64")},
        "c64": "complex64",
        "c128": "complex128",
    }.items(),
)
def test_a_short_dtype_is_that_of_numpy(short, dtype):
    assert [part.dtypes for part in Spec.parse(f"{short}[b t] -> {short}[b]").inputs] == [(dtype,)]


def test_dtypes_of_a_pair():
    assert_shape((np.zeros((2, 3), "int32"), np.zeros((2, 4), "float32")), "int[b t] -> f32[b f]", f=4)
    with pytest.raises(CheckError, match="the dtype of the input is off"):
        assert_shape((np.zeros((2, 3)), np.zeros((2, 4), "float32")), "int[b t] -> f32[b f]", f=4)


# Sizes of names.


@pytest.mark.parametrize(
    "text, shape, words",
    [
        ("b n n c", (1, 7, 8, 3), "axis 2 is 8, but n is 7"),
        ("b n n c", (1, None, 8, 3), "axis 2 is 8, but n is None"),
        ("b h w 3", (1, 7, 8, 4), "axis 3 is 4, but 3 must be 3"),
        ("b h w 3", (1, 7, 8), "3 axes, not the 4"),
        ("2 h", (None, 7), "axis 0 is None, but 2 must be 2"),
    ],
)
def test_shapes_that_do_not_fit(text, shape, words):
    with pytest.raises(ValueError, match=words):
        Spec.parse(text).bind(shape)


def test_names_take_integers():
    with pytest.raises(TypeError, match=r"h must be an integer or None, got 2\.5"):
        Spec.parse("b h").expected(h=2.5, b=1)
    assert Spec.parse("b h").expected(h=np.int64(3), b=None) == (None, 3)


def test_a_name_without_a_size_is_pointed_at():
    with pytest.raises(SpecError, match="'f' has no value"):
        Spec.parse("b h -> b f").expected((1, 2))


def test_division_by_zero_is_pointed_at():
    with pytest.raises(SpecError, match="division by zero"):
        Spec.parse("b h -> b h//s").expected((1, 2), s=0)


# assert_shape.


def test_shapes_of_all_kinds():
    for x in (np.zeros((2, 7, 5, 3)), keras.ops.zeros((2, 7, 5, 3)), (2, 7, 5, 3), [2, 7, 5, 3]):
        assert assert_shape(x, "b h w c") == {"b": 2, "h": 7, "w": 5, "c": 3}
    assert assert_shape(keras.Input((None, 5, 3)), "b h w 3") == {"b": None, "h": None, "w": 5}


def test_unknown_fits_unknown_only():
    x = keras.Input((None, 5, 3))
    assert_shape(x, "b _ w 3")
    for sizes in ({"h": 7}, {"h": None, "w": None}):
        with pytest.raises(CheckError, match="off"):
            assert_shape(x, "b h w 3", **sizes)


def test_models_pairs_and_dicts():
    x = keras.Input((7, 5, 3))
    y = keras.layers.Conv2D(4, 3, strides=2, padding="same")(x)
    model = keras.Model(x, {"maps": y, "flat": keras.layers.Flatten()(y)})
    sizes = assert_shape((x, y), "b h w c -> b ceil(h/s) ceil(w/s) f", s=2, f=4)
    assert sizes["h"] == 7
    assert_shape(keras.Model(x, y), "b h w c -> b ceil(h/2) ceil(w/2) 4")
    assert_shape((x, model.output), "b h w c -> {maps: b ceil(h/2) ceil(w/2) f, flat: b ceil(h/2)*ceil(w/2)*f}", f=4)
    with pytest.raises(CheckError) as caught:
        assert_shape((x, model.output), "b h w c -> {maps: b h//2 w//2 f, out: b 1}", f=4)
    assert caught.value.report.off == (
        "output 'out' is missing",
        "output 'flat' is not in the spec",
        "output 'maps', axis 1: h//2 is 3, got 4",
        "output 'maps', axis 2: w//2 is 2, got 3",
    )


def test_several_tensors_in_a_row():
    image, tokens, joint = np.zeros((2, 7, 5)), np.zeros((2, 9)), np.zeros((2, 14))
    for several in ((image, tokens), [image, tokens]):
        sizes = assert_shape((several, joint), "b h w, b t -> b w+t")
        assert sizes == {"b": 2, "h": 7, "w": 5, "t": 9}
        assert_shape((joint, several), "b n -> b 7 n-9, b 9")
    with pytest.raises(CheckError) as caught:
        assert_shape((joint, (image, tokens)), "b n -> b 7 n, b 9")
    assert caught.value.report.off == ("output 0, axis 2: n is 14, got 5",)


@pytest.mark.parametrize("x", ["b h", 3, None, [1.5], object()])
def test_what_has_no_shape(x):
    with pytest.raises(TypeError, match="assert_shape: x must be something that has a shape"):
        assert_shape(x, "b h")


def test_a_report_in_full():
    with pytest.raises(CheckError) as caught:
        assert_shape((2, 7, 4), "b n n")
    assert str(caught.value) == (
        "assert_shape: the shape is off\n"
        "  spec       b n n\n"
        "  expected   (2, 7, 7)\n"
        "  got        (2, 7, 4)\n"
        "  off        axis 2: n is 7, got 4"
    )


def test_neither_keras_nor_hypothesis_is_imported():
    code = (
        "import sys\n"
        "from layerblocks.graphs import conv_out, min_input_size\n"
        "from layerblocks.testing import Spec, assert_shape, oracles\n"
        "assert_shape((2, 4), 'b ceil(h/2)', h=7), conv_out(7), min_input_size([(3, 2, 'valid')])\n"
        "sys.exit(', '.join({'keras', 'tensorflow', 'hypothesis', 'numpy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
