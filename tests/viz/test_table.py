"""Tables: numbers that add up to those that Keras counts, the paper's own table, and text that no format trips over."""

from __future__ import annotations

import csv
import re
import shutil
import subprocess
import unicodedata
from html.parser import HTMLParser
from types import SimpleNamespace

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from layerblocks.architectures import (
    densenet121,
    googlenet,
    mobilenet_v2,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    unet,
    vgg16,
    xception,
)
from layerblocks.blocks import weightless
from layerblocks.graphs import collapse, read_graph
from layerblocks.graphs.graph import Graph, Node
from layerblocks.viz.changes.difference import diff
from layerblocks.viz.texts.latex_letters import latex_text
from layerblocks.viz.texts.notation import notation
from layerblocks.viz.texts.table import COLUMNS, compare, rows, table, totals
from layerblocks.viz.texts.table_formats import FORMATS, Sheet, Stack, write

from ..random_models import random_model
from ..zoo import build


def made(constructor, **options):
    with weightless():
        return constructor(**options)


def small():
    x = keras.Input((None, None, 3), name="image")
    y = layers.BatchNormalization(name="stem.norm")(layers.Conv2D(4, 3, name="stem.conv")(x))
    y = layers.GlobalAveragePooling2D(name="head.pool")(y)
    return keras.Model(x, layers.Dense(2, name="head|er\\")(y))


# -- one model --------------------------------------------------------------------------------------------------------


def test_rows_are_data():
    assert [(r.name, r.parameters, r.trainable, r.multiply_adds) for r in rows(small())] == [
        ("image", 0, 0, 0),
        ("stem", 128, 120, None),
        ("head", 0, 0, 0),
        ("head|er\\", 10, 10, 8),
    ]
    assert (totals(small()).parameters, totals(small()).trainable, totals(small()).multiply_adds) == (138, 130, None)


def test_table_as_text():
    assert table(small()).splitlines() == [
        "block          kind              output shape  parameters  multiply-adds",
        "image          input             ?×?×3                  0              0",
        "stem           3×3 conv, 4 + BN  ?×?×4                128              ?",
        "head           global avg pool   4                      0              0",
        "head|er\\       dense, 2          2                     10              8",
        "total                                                 138            ≥ 8",
        "not counted    stem.conv",
        "trainable                                             130",
        "non-trainable                                           8",
    ]


def test_table_as_markdown_and_csv():
    assert table(small(), format="markdown").splitlines()[1:6:4] == [
        "|---|---|---|---:|---:|",
        "| head\\|er\\\\ | dense, 2 | 2 | 10 | 8 |",
    ]
    assert table(small(), format="csv").splitlines()[2] == 'stem,"3×3 conv, 4 + BN",?×?×4,128,120,'


@given(st.data())
def test_the_numbers_are_those_of_the_model_folded_or_not(data):
    model = random_model(data.draw)
    depth = data.draw(st.sampled_from([1, 2, None]))
    names = ("repeats", "parameters", "share of parameters", "multiply-adds", "share of multiply-adds")
    shared = any(n.call[1] > 1 for n in read_graph(model, expand_nested=True).nodes)  # counted once in the total
    for fold in (False, True):
        *body, total = list(csv.reader(table(model, depth, "csv", fold=fold, columns=names).splitlines()))[1:]
        assert int(total[2]) == model.count_params()
        if not shared:
            assert sum(int(row[2]) for row in body) == int(total[2])
            assert sum(float(row[3]) for row in body if row[3]) == pytest.approx(1, abs=1e-4)
        if total[4]:
            assert sum(int(row[4]) for row in body) == int(total[4])
        assert fold or {row[1] for row in body} == {"1"}


def test_equal_neighbours_are_one_row():
    lines = table(made(xception)).splitlines()
    middle = [line for line in lines if line.startswith("middle")]
    one = rows(made(xception))
    equal = [row for row in one if row.name.startswith("middle")]
    assert len(middle) == 1 and len(equal) == 8
    assert "[3×3 separable, 728; 3×3 separable, 728; 3×3 separable, 728] × 8" in middle[0]
    assert f"{sum(row.parameters for row in equal):,}" in middle[0]
    assert f"{equal[0].parameters:,} each ×8" in lines[lines.index(middle[0]) + 1]
    assert len(table(made(xception), fold=False).splitlines()) == len(lines) - 1 + 7
    assert len(table(made(xception), format="csv").splitlines()) == len(one) + 2, "plain rows for programs"


def test_columns_by_choice():
    text = table(made(vgg16), columns=("share of parameters", "receptive field"))
    head, first, *_, last = text.splitlines()
    assert head.split("  ")[0] == "block" and "kind" not in head
    assert "0.0 %" in first and "100.0 %" in last
    assert "212×212" in text, "what the last pooling of VGG-16 sees"


def test_layers_of_models_made_elsewhere_come_in_blocks():
    with weightless():
        model = keras.applications.ResNet50(weights=None)
    found = rows(model)
    assert len(found) < 40 and sum(row.parameters for row in found) == model.count_params()


# -- what blocks are made of ------------------------------------------------------------------------------------------

NOTATIONS = [
    (resnet18, "stage2", "[3×3, 128; 3×3, 128] × 2, /2"),
    (resnet50, "stage3", "[1×1, 256; 3×3, 256; 1×1, 1024] × 6, /2"),
    (resnet50, "stem", "7×7 conv, 64, /2"),
    (vgg16, "block3", "[3×3, 256] × 3 + 2×2 max pool, /2"),
    (vgg16, "classifier", "[dense, 4096] × 2 + dense, 1000"),
    (densenet121, "block4", "[1×1, 128; 3×3, 32] × 16"),
    (googlenet, "inception_3a", "[1×1, 64 | 1×1, 96 → 3×3, 128 | 1×1, 16 → 5×5, 32 | 3×3 max pool → 1×1, 32]"),
    (
        mobilenet_v2,
        "stage3",
        "[1×1, 144; 3×3 depthwise; 1×1, 32], /2 + [1×1, 192; 3×3 depthwise; 1×1, 32] × 2",
    ),
    (unet, "decoder4", "2×2 transposed conv, 512, ×2 + [3×3, 512] × 2"),
]


@pytest.mark.parametrize(("network", "name", "words"), NOTATIONS, ids=[f"{f.__name__}-{n}" for f, n, _ in NOTATIONS])
def test_what_a_block_is_made_of(network, name, words):
    (block,) = [n for n in collapse(read_graph(made(network)), 1).nodes if n.name == name]
    assert " + ".join(map(str, notation(block))) == words


BESIDE = {
    "attention_unet": "[upsample ×2 | attention gate]",
    "diffusion_unet": "[3×3, 32; plus dense, 32; 3×3, 32]",
    "efficientnet_like": "[1×1, 64; 3×3 depthwise; squeeze-and-excitation; 1×1, 16]",
    "gated_tabular": "[dense, 16; dense, 16; dense, 16; gated by dense, 16]",
    "pspnet": "2×2 avg pool, /2 → 1×1, 16 | identity]",
}


@pytest.mark.parametrize(("name", "words"), BESIDE.items())
def test_no_layer_with_weights_is_left_out_of_a_notation(name, words):
    assert words in table(build(name))


def test_all_ways_to_a_sum_are_told():
    x = keras.Input((8, 8, 4))
    narrow = layers.Conv2D(4, 3, padding="same", name="block.c")(layers.Conv2D(4, 1, name="block.b")(x))
    wide = layers.Conv2D(4, 7, padding="same", name="block.d")(x)
    model = keras.Model(x, layers.Flatten()(layers.Add(name="block.add")([x, narrow, wide])))
    block = next(node for node in collapse(read_graph(model), 1).nodes if node.name == "block")
    assert "7×7" in str(notation(block)[0])


def test_the_notation_does_not_depend_on_names():
    graph = collapse(read_graph(made(resnet50)), 1)
    stage = next(n for n in graph.nodes if n.name == "stage3")
    flat = tuple(
        Node(**{f: getattr(n, f) for f in Node.__slots__} | {"path": ("stage3", f"layer{n.id}")})
        for n in stage.inner.nodes
    )
    inner = Graph(
        stage.inner.name, stage.inner.kind, flat, stage.inner.edges, stage.inner.outputs, (), stage.inner.entries
    )
    other = Node(**{f: getattr(stage, f) for f in Node.__slots__} | {"inner": inner})
    assert notation(other) == notation(stage)


def test_no_notation_of_what_is_too_long():
    x = y = keras.Input((8,), name="x")
    for i in range(40):
        y = layers.Dense(8 + i, name=f"all.dense{i}")(y)
    (_, block) = collapse(read_graph(keras.Model(x, y)), 1).nodes
    assert notation(block) == ()


# -- several models ---------------------------------------------------------------------------------------------------

# He et al. 2016, table 1: what each size of the feature map has, in each of the five columns.
PAPER = {
    "112×112": ["7×7 conv, 64, /2"] * 5,
    "56×56": [
        *(f"3×3 max pool, /2 + [3×3, 64; 3×3, 64] × {n}" for n in (2, 3)),
        *(f"3×3 max pool, /2 + [1×1, 64; 3×3, 64; 1×1, 256] × {n}" for n in (3, 3, 3)),
    ],
    "28×28": [
        *(f"[3×3, 128; 3×3, 128] × {n}, /2" for n in (2, 4)),
        *(f"[1×1, 128; 3×3, 128; 1×1, 512] × {n}, /2" for n in (4, 4, 8)),
    ],
    "14×14": [
        *(f"[3×3, 256; 3×3, 256] × {n}, /2" for n in (2, 6)),
        *(f"[1×1, 256; 3×3, 256; 1×1, 1024] × {n}, /2" for n in (6, 23, 36)),
    ],
    "7×7": [
        *(f"[3×3, 512; 3×3, 512] × {n}, /2" for n in (2, 3)),
        *(f"[1×1, 512; 3×3, 512; 1×1, 2048] × {n}, /2" for n in (3, 3, 3)),
    ],
    "1×1": ["global avg pool + dense, 1000"] * 5,
}


def test_the_table_of_the_resnet_paper():
    models = [made(network) for network in (resnet18, resnet34, resnet50, resnet101, resnet152)]
    head, *body, parameters, trainable, multiply_adds = csv.reader(compare(models, "csv").splitlines())
    assert trainable[2:] == [str(totals(model).trainable) for model in models]
    assert head == ["block", "output size", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    assert {row[1]: row[2:] for row in body} == PAPER
    assert [row[0] for row in body] == ["stem", "pool, stage1", "stage2", "stage3", "stage4", "classifier"]
    assert parameters[2:] == ["11699112", "21814696", "25610152", "44654504", "60344232"]
    assert [round(int(n) / 1e9, 1) for n in multiply_adds[2:]] == [1.8, 3.7, 3.9, 7.6, 11.3]


def test_networks_of_other_sizes_come_side_by_side():
    lines = compare({"16": made(vgg16), "X": made(xception)}, "csv").splitlines()
    sizes = [row[1] for row in csv.reader(lines) if row[1]][1:]
    assert sizes.index("149×149") < sizes.index("112×112") < sizes.index("74×74") < sizes.index("56×56")
    assert sizes[-1] == "1×1" and len(set(sizes)) == len(sizes)


def variant(change):
    """A small network that is as the others but in one thing."""
    x = keras.Input((8, 8, 4))
    y = layers.Conv2D(4, 3, padding="same", activation="sigmoid" if change == "activation" else "relu")(x)
    y = {
        "norm": layers.BatchNormalization(),
        "layer norm": layers.LayerNormalization(),
        "dropout": layers.Dropout(0.2),
        "more dropout": layers.Dropout(0.3),
        "dilation": layers.Conv2D(4, 3, padding="same", dilation_rate=2),
        "padding": layers.ZeroPadding2D(1),
    }.get(change, lambda y: y)(y)
    if change == "padding":
        y = layers.Cropping2D(1)(y)
    if change in ("gate", "other gate"):
        gate = layers.Activation("sigmoid" if change == "gate" else "tanh")(y)
        y = layers.Multiply()([y, gate])
    if change in ("Add", "Subtract", "Maximum"):
        y = getattr(layers, change)()([x, y])
    if change == "attention":
        y = layers.MultiHeadAttention(1, 4)(y, y)
    twice = layers.Dense(4)
    y = twice(twice(y)) if change == "shared" else layers.Dense(4)(layers.Dense(4)(y))
    model = keras.Model(x, layers.Dense(2)(layers.Flatten()(y)))
    model.layers[1].trainable = change != "frozen"
    return model


VARIANTS = (
    *("", "activation", "norm", "layer norm", "dropout", "more dropout", "dilation", "padding", "gate", "other gate"),
    *("Add", "Subtract", "Maximum", "attention", "shared", "frozen"),
)


def test_equal_columns_are_of_equal_networks():
    with weightless():
        models = {str(i): variant(change) for i, change in enumerate((*VARIANTS, ""))}
    columns = list(zip(*csv.reader(compare(models, "csv").splitlines()), strict=True))[2:]
    told = [column[1:] for column in columns]
    assert told[0] == told[-1] and len(set(told)) == len(VARIANTS)
    for change in VARIANTS[1:]:
        with weightless():
            pair = compare({"a": variant(""), "b": variant(change)}, "csv")
        _, _, a, b = zip(*list(csv.reader(pair.splitlines()))[1:], strict=True)
        assert a != b, change
    with weightless():
        assert "structure" not in compare({"a": variant("gate"), "b": variant("gate")})


@given(st.data())
def test_equal_columns_are_of_equal_random_networks(data):
    """Nets drawn twice, or one changed in a layer: where two columns are equal, so is what they stand for."""
    one = random_model(data.draw)
    other = random_model(data.draw) if data.draw(st.booleans()) else changed_in_one_layer(one, data.draw)
    _, *rows_ = csv.reader(compare({"a": one, "b": other}, "csv").splitlines())
    if all(row[2] == row[3] for row in rows_):
        assert not diff(one, other)


def changed_in_one_layer(model, draw):
    """The model with one of its layers made otherwise."""
    found = [layer for layer in model.layers if isinstance(layer, CHANGES_OF)]
    chosen = draw(st.sampled_from(found)) if found else None

    def copy(layer):
        config = layer.get_config()
        if layer is chosen:
            _, name, value = next(change for change in CHANGES if isinstance(layer, change[0]))
            config[name] = value
        return type(layer).from_config(config)

    with weightless():
        return keras.models.clone_model(model, clone_function=copy)


CHANGES = (
    (layers.Conv2D, "activation", "tanh"),
    (layers.BatchNormalization, "epsilon", 0.1),
    (layers.ReLU, "max_value", 6.0),
    (layers.Resizing, "interpolation", "nearest"),
    (layers.Dense, "activation", "tanh"),
)
CHANGES_OF = tuple(kind for kind, _, _ in CHANGES)


def test_what_cannot_be_told_apart_is_said():
    def net():
        x = keras.Input((8,))
        return keras.Model(x, layers.Dense(2)(layers.Lambda(lambda x: x, name="own")(x)))

    one = net()
    assert "structure" not in compare({"a": one, "b": one})
    assert "own: function cannot be compared: <lambda> is not registered" in compare({"a": one, "b": net()})


def test_the_order_in_which_branches_were_made_is_no_structure():
    def net(first):
        x = keras.Input((8, 8, 2))
        made = {size: layers.Conv2D(4, size, padding="same")(x) for size in ((1, 3) if first else (3, 1))}
        return keras.Model(x, layers.Concatenate()([made[1], made[3]]))

    assert "structure" not in compare({"a": net(True), "b": net(False)})


FAMILIES = (
    ("vit", "vit_by_ops"),
    ("unet", "attention_unet"),
    ("prenorm_encoder", "postnorm_encoder"),
    ("gcn", "gcn_by_dot"),
)


@pytest.mark.sweep_only("vit-vit_by_ops", "unet-attention_unet")
@pytest.mark.parametrize(("one", "other"), FAMILIES)
def test_related_networks_have_other_columns(one, other):
    _, *rows_ = csv.reader(compare({name: build(name) for name in (one, other)}, "csv").splitlines())
    assert any(row[2] != row[3] for row in rows_)


def test_names_of_compared_models():
    one = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="twin")
    assert "twin (2)" in compare([one, one]).splitlines()[0]


# -- formats ----------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """The cells of an HTML table, by row, and its headings; every element closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.heads, self.caption = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        if tag == "br":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            self.heads += [dict(attrs)["scope"]] if tag == "th" else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data
        elif self.open and self.open[-1] == "caption":
            self.caption += data


def shown(text):
    """On one line, and what a terminal obeys or turns written out."""
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

    def one(letter):
        control = unicodedata.category(letter) == "Cc" or letter in "\u061c\u200e\u200f"
        turns = unicodedata.bidirectional(letter) in turning
        return letter.encode("unicode_escape").decode() if control or turns else letter

    return "".join(map(one, " ".join(text.split())))


def inert(text):
    """What no spreadsheet computes."""
    return f"'{text}" if text[:1] and text[0] in "=+-@" else text


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "=cmd|' /C calc'!A0"])
def test_no_cell_is_computed_by_a_spreadsheet(text):
    sheet = Sheet(("a", "n"), ((text, -5),))
    assert list(csv.reader(write(sheet, "csv").splitlines()))[1] == [f"'{text}", "-5"]


def test_no_cell_is_a_link_or_speaks_to_the_terminal():
    sheet = Sheet(("a",), (("[click](javascript:alert(1))",), ("\x1b[31mred\u202e",)))
    assert "](" not in write(sheet, "markdown").replace("\\]", "")
    for format in FORMATS:
        assert not {"\x1b", "\u202e"} & {*write(sheet, format)}


words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.lists(st.tuples(words, words, st.integers(0, 10**9)), min_size=1, max_size=4), words)
def test_any_text_survives_each_format(lines, caption):
    sheet = Sheet(("a", "b", "n"), tuple(lines), numbers=frozenset([2]), caption=caption)
    plain = [[shown(a), shown(b), f"{n:,}"] for a, b, n in lines]
    read = Reader(write(sheet, "html"))
    assert [[" ".join(cell.split()) for cell in row] for row in read.rows[1:]] == plain
    assert read.heads == ["col"] * 3 + ["row"] * len(lines)
    found = list(csv.reader(write(sheet, "csv").splitlines()))
    assert found[1:] == [[a, b, n.replace(",", "")] for *ab, n in plain for a, b in [map(inert, ab)]]
    cells = re.compile(r"(?<!\\)(?:\\\\)*\|")
    assert all(len(cells.findall(line)) == 4 for line in write(sheet, "markdown").splitlines())
    assert len(write(sheet, "text").splitlines()) == 1 + len(lines)
    rules = [line for line in write(sheet, "latex").splitlines() if re.search(r"\\\\$", line)]
    assert len(rules) == 1 + len(lines) and all(len(re.findall(r"(?<!\\)&", line)) == 2 for line in rules)


@given(words)
def test_latex_is_ascii_and_balanced(text):
    written = latex_text(text)
    assert written.isascii() and written.isprintable()
    braces = re.sub(r"\\[{}\\]", "", written)
    assert braces.count("{") == braces.count("}")
    assert len(re.findall(r"(?<!\\)\$", written)) % 2 == 0
    assert not re.search(r"(?<!\\)[#%&]", written)
    assert not written.startswith(("[", "*"))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_latex_compiles(tmp_path):
    odd = [
        "".join(map(chr, range(32, 127))),
        "".join(map(chr, range(0xA0, 0x180))),
        "αβγδεΩ×·±−–—…→≤²³ﬁ中文😀\u202e\x07",
        "[x] -- ,, '' `` ?` !` << >>",
        "*",
    ]
    rows_ = tuple((text, (Stack(("1×1, 64", text), 3, "/2"), Stack(("3×3 max pool",))), 12345) for text in odd)
    sheet = Sheet(("a_b", "<&>", "n"), rows_, (("total", "", 5),), frozenset([2]), "50 % & more_of {it}", "tab:odd")
    parts = [
        write(sheet, "latex"),
        table(made(googlenet), format="latex", caption="GoogLeNet", columns=("kind", "share of parameters")),
        compare([made(resnet18), made(resnet50)], "latex"),
    ]
    body = "\n\n".join(parts)
    (tmp_path / "t.tex").write_text(
        f"\\documentclass{{article}}\n\\usepackage{{booktabs,graphicx}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n",
        "utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert b"Missing character" not in (tmp_path / "t.log").read_bytes()


def test_latex_looks_as_in_papers():
    lines = compare([made(resnet18)], "latex", caption="Five % of it", label="tab:one").splitlines()
    assert lines[:4] == ["\\begin{table}", "  \\centering", "  \\caption{Five \\% of it}", "  \\label{tab:one}"]
    assert lines[4].startswith("  \\resizebox{\\ifdim\\width>\\linewidth"), "no wider than its column"
    assert lines[5:7] == ["  \\begin{tabular}{lll}", "    \\toprule"] and lines[-3].strip() == "\\bottomrule"
    (stage,) = [line for line in lines if line.strip().startswith("stage2")]
    bracket = (
        "$\\left[\\begin{array}{@{}l@{}}\\mbox{3$\\times$3, 128} \\\\ \\mbox{3$\\times$3, 128}\\end{array}\\right]"
    )
    assert f"{bracket} \\times 2$, /2" in stage
    _, second, *rest = table(small(), format="latex").splitlines()
    assert second == "\\begin{tabular}{lllrr}" and rest[-1] == "\\end{tabular}}"
    assert any("-- & --" in line for line in rest), "what has no parameters has a dash"


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (
            {"format": "wordd"},
            ValueError,
            "table: format must be one of 'text', 'markdown', 'csv', 'latex' or 'html', got 'wordd'",
        ),
        ({"format": "markdwon"}, ValueError, "did you mean 'markdown'"),
        ({"depth": 0}, ValueError, "table: depth must be None .*, got 0"),
        ({"depth": "1"}, TypeError, "table: depth must be None .*, got '1'"),
        ({"model": 3}, TypeError, "table: model must be a built Keras model, a file of one, or a Graph, got 3"),
        (
            {"columns": ("kind", "parametres")},
            ValueError,
            "table: columns must be .*did you mean 'parameters'.*, got 'parametres'",
        ),
        ({"columns": "kind"}, TypeError, "table: columns must be a sequence of names, .*, got 'kind'"),
        ({"label": "a{b}"}, ValueError, "table: label must be letters, .*, got 'a{b}'"),
    ],
)
def test_wrong_arguments_of_a_table(arguments, error, says):
    with pytest.raises(error, match=says):
        table(**{"model": small(), **arguments})


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"models": 3}, TypeError, "compare: models must be a sequence or a dict of Keras models, got 3"),
        ({"models": []}, ValueError, "compare: models must be one or more Keras models, got"),
        (
            {"models": [SimpleNamespace(name="x")]},
            TypeError,
            r"compare: models\['x'\] must be a built Keras model, a file of one, or a Graph, got namespace\(.*\)",
        ),
        ({"format": "pdf"}, ValueError, "compare: format must be one of .*, got 'pdf'"),
        ({"depth": 0}, ValueError, "compare: depth must be None .*, got 0"),
    ],
)
def test_wrong_arguments_of_a_comparison(arguments, error, says):
    with pytest.raises(error, match=says):
        compare(**{"models": [small()], **arguments})


def test_what_is_told_is_what_there_is():
    assert set(FORMATS) == {"text", "markdown", "csv", "latex", "html"}
    told = re.findall(r'"([a-z -]+)"', table.__doc__.split("columns:")[1].split("caption:")[0])
    assert set(told) == set(COLUMNS)
