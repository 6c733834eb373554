#!/usr/bin/env python3
"""Makes the small ONNX files of this folder that no shell command can write (needs the onnx package)."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))


def save(name, nodes, inputs, outputs, initializers=(), domains=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), *domains], ir_version=7)
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


def tensor(name, dims):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def gemm(weight):
    return [helper.make_node("Gemm", ["x", "w"], ["y"], name="fc")], [tensor("x", ["N", 4])], [tensor("y", ["N", 3])], [weight]


weight = np.arange(-6, 6, dtype=np.float32).reshape(4, 3) / 4  # sums of these are exact on every instruction set
save("good.onnx", *gemm(numpy_helper.from_array(weight, "w")))

hole = weight.copy()
hole[1, 2] = np.nan
save("nan_weight.onnx", *gemm(numpy_helper.from_array(hole, "w")))

save("wrong_shape.onnx", *gemm(numpy_helper.from_array(weight.reshape(3, 4), "w")))

outside = numpy_helper.from_array(weight, "w")
outside.ClearField("raw_data")
outside.data_location = TensorProto.EXTERNAL
for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", "48")):
    outside.external_data.add(key=key, value=value)
save("external.onnx", *gemm(outside))

short = numpy_helper.from_array(weight, "w")
short.raw_data = short.raw_data[:40]
save("short_weight.onnx", *gemm(short))

save("cyclic.onnx",
     [helper.make_node("Add", ["x", "b"], ["a"], name="first"), helper.make_node("Relu", ["a"], ["b"], name="second")],
     [tensor("x", [1, 4])], [tensor("b", [1, 4])])

save("unknown_operator.onnx", [helper.make_node("Frobnicate", ["x"], ["y"], name="odd", domain="com.example")],
     [tensor("x", [1, 4])], [tensor("y", [1, 4])], domains=[helper.make_opsetid("com.example", 1)])

np.save(os.path.join(HERE, "x.npy"), np.array([[1, 2, 3, 4], [0, 0, 0, 1]], np.float32))
np.save(os.path.join(HERE, "wide.npy"), np.ones((2, 5), np.float32))
np.save(os.path.join(HERE, "none.npy"), np.zeros((0, 4), np.float32))
np.save(os.path.join(HERE, "labels.npy"), np.array([2, 0]))
np.save(os.path.join(HERE, "three_labels.npy"), np.array([2, 0, 1]))
with open(os.path.join(HERE, "input_0.pb"), "wb") as file:
    file.write(numpy_helper.from_array(np.ones((1, 4), np.float32), "x").SerializeToString())

save("two_inputs.onnx", [helper.make_node("Add", ["left", "right"], ["sum"], name="add"), helper.make_node("Neg", ["left"], ["neg"], name="neg")],
     [tensor("left", [1, 4]), tensor("right", [1, 4])], [tensor("sum", [1, 4]), tensor("neg", [1, 4])])
save("chosen_by_input.onnx", [helper.make_node("Gather", ["table", "x"], ["y"], name="pick")],
     [helper.make_tensor_value_info("x", TensorProto.INT64, [1])], [tensor("y", [1])],
     [numpy_helper.from_array(np.zeros(0, np.float32), "table")])
save("steering_name.onnx", [helper.make_node("Relu", ["x"], ["y"], name="clear\x1b[2J\nline")],
     [tensor("x", [1, 4])], [tensor("y", [1, 5])])
save("running_sum.onnx", [helper.make_node("Add", ["x", "h"], ["hn"]), helper.make_node("Neg", ["hn"], ["y"])],
     [tensor("x", [1, 3]), tensor("h", [1, 3])], [tensor("y", [1, 3]), tensor("hn", [1, 3])])
save("next_word.onnx", [helper.make_node("Gather", ["table", "word"], ["scores"])],
     [helper.make_tensor_value_info("word", TensorProto.INT64, [1, "length"])], [tensor("scores", [1, "length", 3])],
     [numpy_helper.from_array(np.eye(3, dtype=np.float32)[[1, 2, 0]], "table")])
np.save(os.path.join(HERE, "steps.npy"), np.arange(12, dtype=np.float32).reshape(4, 1, 3))


def tiny_layers(classes):
    """Eight layers of 16 weights with a gate between each and the next, and a classifier: few weights, many values."""
    random = np.random.default_rng(0)
    nodes, weights, x = [], [], "x"
    for i in range(9):
        weights.append(numpy_helper.from_array((0.5 * random.standard_normal((4, classes if i == 8 else 4))).astype(np.float32), f"w{i}"))
        nodes.append(helper.make_node("MatMul", [x, f"w{i}"], ["y" if i == 8 else f"m{i}"], name=f"layer{i}"))
        nodes += [helper.make_node("Sigmoid", [f"m{i}"], [f"s{i}"]), helper.make_node("Mul", [f"m{i}", f"s{i}"], [f"p{i}"])] if i < 8 else []
        x = f"p{i}"
    return nodes, [tensor("x", [1, 4])], [tensor("y", [1, classes])], weights


save("tiny_layers.onnx", *tiny_layers(128))
save("tiny_layers_only.onnx", *tiny_layers(3))


def dead_channels():
    """Gemms of 16 channels, of which 11 and 3 are made by zeros."""
    random = np.random.default_rng(1)
    nodes, weights, x = [], [], "x"
    for name, shape, dead in (("first", (16, 4), 11), ("second", (16, 16), 3), ("last", (3, 16), 0)):
        data = random.standard_normal(shape).astype(np.float32)
        data[:dead] = 0
        weights.append(numpy_helper.from_array(data, name + ".weight"))
        nodes.append(helper.make_node("Gemm", [x, name + ".weight"], ["y" if name == "last" else name + ".out"], name=name, transB=1))
        nodes += [] if name == "last" else [helper.make_node("Relu", [name + ".out"], [name + ".relu"])]
        x = name + ".relu"
    return nodes, [tensor("x", [1, 4])], [tensor("y", [1, 3])], weights


save("dead_channels.onnx", *dead_channels())

rows = (np.arange(64 * 32, dtype=np.float32).reshape(64, 32) % 7 - 3) / 8
save("tokens.onnx",
     [helper.make_node("Gather", ["table", "ids"], ["rows"], name="embedding"),
      helper.make_node("MatMul", ["rows", "w"], ["scores"], name="head")],
     [helper.make_tensor_value_info("ids", TensorProto.INT64, [1, "length"])], [tensor("scores", [1, "length", 64])],
     [numpy_helper.from_array(rows, "table"), numpy_helper.from_array(np.ascontiguousarray(rows.T), "w")])

save("long_window.onnx", [helper.make_node("Conv", ["x", "w"], ["y"], name="filters")], [tensor("x", [1, 1, "length"])],
     [tensor("y", [1, 4, "frames"])],
     [numpy_helper.from_array((np.arange(4096, dtype=np.float32) % 5 - 2).reshape(4, 1, 1024), "w")])
