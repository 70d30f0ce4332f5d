"""Saved models: their structure is read without weights, and where classes are missing, from the configuration."""

from __future__ import annotations

import json
import resource
import zipfile

import keras
import pytest
from keras import layers, ops

from layerblocks.graphs import read_graph
from layerblocks.viz import alt_text, caption, diagram, diff, table, totals


class Own(layers.Layer):
    def __init__(self, units=3, **options):
        super().__init__(**options)
        self.units, self.dense = units, layers.Dense(units)

    def build(self, shape):
        self.dense.build(shape)

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def plain():
    x = keras.Input((8, 8, 3), name="x")
    y = layers.Conv2D(4, 3, name="conv")(x)
    a, b = ops.split(y * 2.0, 2, -1)
    return keras.Model(x, {"sum": layers.Add(name="sum")([a, b]), "flat": layers.Flatten(name="flat")(y)}, name="net")


def custom():
    x = keras.Input((8, 8, 3), name="x")
    y = layers.Conv2D(6, 3, name="conv")(Own(5, name="own")(x))
    z = layers.Add(name="sum")([y, layers.Lambda(lambda t: t * 2, name="twice")(y)])
    return keras.Model(x, [layers.Dense(3, name="fc")(layers.Flatten()(z)), Own(2, name="last")(z)], name="net")


def saved(model, path):
    if path.suffix == ".json":
        path.write_text(model.to_json())
    else:
        model.save(path)
    return path


ENDINGS = pytest.mark.parametrize("ending", [".keras", ".h5", ".json"])


@ENDINGS
@pytest.mark.filterwarnings("ignore")
def test_a_file_gives_the_graph_of_the_model(tmp_path, ending):
    x = keras.Input((8, 8, 3), name="x")
    model = keras.Model(x, layers.Dense(3)(layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(x))), name="net")
    assert read_graph(saved(model, tmp_path / f"net{ending}")) == read_graph(model)


@pytest.mark.parametrize("ending", [".keras", ".json"])
def test_operations_and_several_outputs_too(tmp_path, ending):
    model = plain()
    assert read_graph(str(saved(model, tmp_path / f"net{ending}"))) == read_graph(model)


@ENDINGS
@pytest.mark.filterwarnings("ignore")
def test_what_has_no_class_is_read_from_the_configuration(tmp_path, ending):
    model = custom()
    graph = read_graph(saved(model, tmp_path / f"net{ending}"))
    assert not graph.verified and read_graph(model).verified
    nodes = {node.name: node for node in graph.nodes}
    assert nodes["own"].kind == "Own" and nodes["own"].closed.startswith("no class Own is there")
    assert nodes["own"].outputs == ((None, 8, 8, 5),), "as the file says of what goes on"
    assert nodes["last"].outputs == () and nodes["last"].unbuilt, "of what ends there nothing is said"
    assert nodes["twice"].closed.startswith("its code is not executed")
    assert nodes["conv"].parameters == 276 and nodes["fc"].outputs == ((None, 3),)
    true = read_graph(model)
    assert [(e.source, e.target, e.target_port) for e in graph.edges] == [
        (e.source, e.target, e.target_port) for e in true.edges
    ]
    assert [output.source for output in graph.outputs] == [output.source for output in true.outputs]


def test_loss_weights_are_those_that_the_model_was_compiled_with(tmp_path):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, {"main": layers.Dense(2, name="p")(x), "aux": layers.Dense(3, name="q")(x)})
    model.compile("sgd", "mse", loss_weights={"main": 1.0, "aux": 0.25})
    graph = read_graph(saved(model, tmp_path / "net.keras"))
    assert {output.key: output.loss_weight for output in graph.outputs} == {"main": 1.0, "aux": 0.25}


def test_it_is_said_that_nothing_is_verified(tmp_path):
    graph = read_graph(saved(custom(), tmp_path / "net.json"))
    rows = [line.split() for line in table(graph, depth=None).splitlines()]
    (own,) = [row for row in rows if row[0] == "own"]
    assert own[-2:] == ["?", "?"] and " ".join(rows[-1]) == "not verified: read from the configuration alone"
    assert "Not verified" in caption(graph)
    assert "own" in diagram(graph).svg


def test_classes_can_be_given(tmp_path):
    x = keras.Input((4,), name="x")
    model = keras.Model(x, Own(2, name="own")(x), name="net")
    path = saved(model, tmp_path / "net.keras")
    assert not read_graph(path).verified
    graph = read_graph(path, custom_objects={"Own": Own})
    assert graph.verified and graph == read_graph(model)
    with pytest.raises(TypeError, match="read_graph: custom_objects must be"):
        read_graph(path, custom_objects=[Own])


def test_custom_layers_in_nested_models_and_sequentials(tmp_path):
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a"), Own(2, name="own")], name="inner")
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(1, name="end")(inner(x)), name="net")
    graph = read_graph(saved(model, tmp_path / "net.json"), expand_nested=True)
    assert [node.name for node in graph.nodes] == ["x", "inner.a", "inner.own", "end"]
    assert [frame.name for frame in graph.frames] == ["inner"]
    own = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="a"), Own(2, name="own")], name="net")
    graph = read_graph(saved(own, tmp_path / "own.json"))
    assert [(node.kind, node.parameters) for node in graph.nodes][1:] == [("Dense", 15), ("Own", 0)]


def test_a_subclassed_model_without_its_class_is_one_box(tmp_path):
    class Net(keras.Model):
        def __init__(self):
            super().__init__(name="net")
            self.dense = layers.Dense(2)

        def build(self, shape):
            self.dense.build(shape)
            self.built = True

        def call(self, x):
            return self.dense(x)

    model = Net()
    model.build((None, 3))
    graph = read_graph(saved(model, tmp_path / "net.keras"))
    assert not graph.verified and [node.kind for node in graph.nodes] == ["InputLayer", "Net"]
    assert graph.nodes[1].closed.startswith("no class Net is there") and graph.nodes[1].unbuilt


KERAS_2 = {
    "class_name": "Functional",
    "keras_version": "2.12.0",
    "config": {
        "name": "old",
        "layers": [
            {
                "class_name": "InputLayer",
                "name": "x",
                "config": {"batch_input_shape": [None, 8, 8, 3], "dtype": "float32", "name": "x"},
                "inbound_nodes": [],
            },
            {
                "class_name": "Conv2D",
                "name": "conv",
                "config": {"name": "conv", "filters": 4, "kernel_size": [3, 3], "dtype": "float32", "padding": "same"},
                "inbound_nodes": [[["x", 0, 0, {}]]],
            },
            {
                "class_name": "BatchNormalization",
                "name": "bn",
                "config": {"name": "bn", "axis": [3], "dtype": "float32", "epsilon": 0.001, "fused": True},
                "inbound_nodes": [[["conv", 0, 0, {}]]],
            },
            {
                "class_name": "TFOpLambda",
                "name": "tf.math.multiply",
                "config": {"name": "tf.math.multiply", "trainable": True, "function": "math.multiply"},
                "inbound_nodes": [["bn", 0, 0, {"y": ["conv", 0, 0], "name": None}]],
            },
            {
                "class_name": "Add",
                "name": "add",
                "config": {"name": "add", "dtype": "float32"},
                "inbound_nodes": [[["bn", 0, 0, {}], ["tf.math.multiply", 0, 0, {}]]],
            },
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["add", 0, 0]],
    },
}


def test_a_file_of_keras_2(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(KERAS_2))
    graph = read_graph(path)
    assert not graph.verified
    assert [(node.name, node.kind) for node in graph.nodes][1:] == [
        ("conv", "Conv2D"),
        ("bn", "BatchNormalization"),
        ("tf.math.multiply", "TFOpLambda"),
        ("add", "Add"),
    ]
    assert [node.parameters for node in graph.nodes] == [0, 112, 16, 0, 0]
    assert sorted((e.source, e.target) for e in graph.edges) == [(0, 1), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]


def test_a_sequential_of_keras_2_begins_with_the_shape_of_its_first_layer(tmp_path):
    first = {"name": "dense", "units": 3, "dtype": "float32", "batch_input_shape": [None, 4]}
    layers = [{"class_name": "Dense", "config": first}, {"class_name": "Mine", "config": {"name": "mine"}}]
    path = tmp_path / "old.json"
    content = {"class_name": "Sequential", "keras_version": "2.12.0", "config": {"name": "old", "layers": layers}}
    path.write_text(json.dumps(content))
    x, dense, mine = read_graph(path).nodes
    assert (x.outputs, dense.outputs, dense.parameters) == (((None, 4),), ((None, 3),), 15)
    assert (mine.name, mine.outputs) == ("mine", ())


def test_a_value_that_is_like_a_tensor_of_keras_2_stays_a_value(tmp_path):
    """A list of a name and two integers is a tensor, of a name and other things it is none."""
    content = json.loads(json.dumps(KERAS_2))
    content["config"]["layers"][3]["inbound_nodes"][0][3] |= {"order": ["x", 0, 0.5], "at": ["x", 0.5, 0]}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(content))
    graph = read_graph(path)
    assert sorted((e.source, e.target) for e in graph.edges) == [(0, 1), (1, 2), (1, 3), (2, 3), (2, 4), (3, 4)]


@pytest.mark.parametrize("known", [True, False])
def test_a_hostile_size_stays_a_number(tmp_path, known):
    config = json.loads((plain() if known else custom()).to_json())
    (conv,) = [layer for layer in config["config"]["layers"] if layer["class_name"] == "Conv2D"]
    conv["config"]["filters"] = 10**9
    path = tmp_path / "net.json"
    path.write_text(json.dumps(config))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (node,) = [node for node in read_graph(path).nodes if node.kind == "Conv2D"]
    assert node.parameters == (28 if known else 46) * 10**9
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


HOSTILE = {
    "empty": b"",
    "no archive": b"PK\3\4broken",
    "no HDF5": b"\x89HDF\r\n\x1a\nbroken",
    "no model": b"{}",
    "half": b'{"class_name": "Func',
    "deep": b"[" * 100_000,
    "no text": b"\xff\xfe\xfd" * 10,
    "layers that are none": json.dumps({"class_name": "Functional", "config": {"layers": 3}}).encode(),
    "a cycle": json.dumps(
        {
            "class_name": "Functional",
            "config": {
                "layers": [
                    {"class_name": "Own", "name": n, "config": {}, "inbound_nodes": [[[other, 0, 0, {}]]]}
                    for n, other in ("ab", "ba")
                ],
                "input_layers": [["a", 0, 0]],
                "output_layers": [["b", 0, 0]],
            },
        }
    ).encode(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_broken_file_is_refused_in_one_line_with_the_cause(tmp_path, name):
    path = tmp_path / "net.keras"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(ValueError, match=r"^read_graph: model must be a file of a .+ \(\w+: .+\), got") as error:
        read_graph(path)
    assert "\n" not in str(error.value) and len(str(error.value)) < 700


@pytest.mark.parametrize("text", ["{}", "[1]", '{"class_name": "Own"}', '{"class_name": "Own", "config": 3}'])
def test_a_file_of_something_else_is_said_to_be_no_model(tmp_path, text):
    path = tmp_path / "net.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="its configuration is not that of a model"):
        read_graph(path)


@pytest.mark.filterwarnings("ignore")
def test_code_that_a_call_is_given_in_a_file_is_not_loaded(tmp_path):
    x = keras.Input((4,), name="x")
    config = json.loads(keras.Model(x, Own(2, name="own")(x)).to_json())
    (node,) = config["config"]["layers"][1]["inbound_nodes"]
    node["kwargs"] = {"function": keras.saving.serialize_keras_object(lambda t: t * 2)}
    path = tmp_path / "net.json"
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"^read_graph: model must be a file of a Keras model .*lambda"):
        read_graph(path)


def test_a_huge_configuration_is_not_read(tmp_path, monkeypatch):
    from layerblocks.graphs import file_reading

    monkeypatch.setattr(file_reading, "LARGEST", 1000)
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", " " * 10**6)
    with pytest.raises(ValueError, match="longer than 1,000 bytes"):
        read_graph(path)


def test_a_file_that_is_not_there():
    with pytest.raises(ValueError, match="No such file"):
        read_graph("not_there.keras")


def test_figures_and_tables_are_made_of_files(tmp_path):
    x = keras.Input((8, 8, 3), name="x")
    model = keras.Model(x, layers.Conv2D(4, 3, name="a.conv")(x), name="net")
    path, text = tmp_path / "net.keras", tmp_path / "net.json"
    model.save(path)
    text.write_text(model.to_json())
    for file in (path, str(path), text, str(text)):
        assert table(file) == table(model)
        assert not diff(file, model)
        assert alt_text(file) == alt_text(model) == diagram(file).alt_text
        assert totals(file).multiply_adds == 6 * 6 * 27 * 4
    for ask in (table, alt_text, caption, diagram):
        with pytest.raises(ValueError, match=f"^{ask.__name__}: model must be a file of a Keras model"):
            ask(tmp_path / "none.keras")
        with pytest.raises(TypeError, match=f"^{ask.__name__}: model must be a built Keras model, a file of one"):
            ask("net")
