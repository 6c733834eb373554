#!/usr/bin/env python3
"""Makes the small ONNX files of this folder that no shell command can write (needs the onnx package)."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))


def save(name, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


def tensor(name, dims):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def gemm(weight):
    return [helper.make_node("Gemm", ["x", "w"], ["y"], name="fc")], [tensor("x", ["N", 4])], [tensor("y", ["N", 3])], [weight]


weight = np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3)
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
     [tensor("x", [1, 4])], [tensor("y", [1, 4])])
