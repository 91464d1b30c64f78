"""Writes an ONNX graph node by node: inputs, constants, nodes, outputs.

On the ground floor because every room that computes (features, models, tasks) writes its own steps into the
one graph that is deployed. Knows ONNX, and nothing of data, models or tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnx

# Opset 21 is the last that every supported runtime reads; ai.onnx.ml 5 has TreeEnsemble in double.
OPSET = 21
ML_OPSET = 5
ML = "ai.onnx.ml"
ROWS = "rows"
_SPLICED = "spliced"


class Graph:
    """An ONNX graph under construction; every tensor's first dimension is the rows.

    `node` returns the names of what it computes, so that steps compose like function calls.
    """

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._taken: set[str] = set()

    def input(self, name: str, dtype: type[np.generic], *, width: int = 1) -> str:
        """Declare an input of shape (rows, width); `np.str_` is a string tensor. Twice declared is one."""
        from onnx import helper

        if any(value.name == name for value in self._inputs):
            return name
        self._taken.add(name)
        self._inputs.append(helper.make_tensor_value_info(name, _onnx_type(dtype), [ROWS, width]))
        return name

    def output(self, name: str, tensor: str, dtype: type[np.generic], *, width: int | None) -> None:
        """Hand `tensor` out under `name`, of shape (rows, width), or (rows,) when width is None.

        Where an input has that name already the output's gets an underscore: read outputs by their order.
        """
        from onnx import helper

        while name in self._taken:
            name += "_"
        self._taken.add(name)
        self._nodes.append(helper.make_node("Identity", [tensor], [name]))
        shape = [ROWS] if width is None else [ROWS, width]
        self._outputs.append(helper.make_tensor_value_info(name, _onnx_type(dtype), shape))

    def constant(self, value: np.ndarray | Sequence[float] | Sequence[int] | Sequence[str] | float) -> str:
        """Store a constant and return its name; Python floats become double, ints int64, strings strings."""
        from onnx import TensorProto, helper, numpy_helper

        name = self._fresh("constant")
        array = np.asarray(value)
        if array.dtype.kind in "UO":
            encoded = [str(item).encode() for item in array.ravel()]
            tensor = helper.make_tensor(name, TensorProto.STRING, list(array.shape), encoded)
        else:
            tensor = numpy_helper.from_array(np.ascontiguousarray(array), name)
        self._initializers.append(tensor)
        return name

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        *,
        domain: str = "",
        **attributes: object,
    ) -> str:
        """Add a node of one output and return the output's name; numpy attributes become tensors."""
        return self.nodes(op, inputs, n_outputs=1, domain=domain, **attributes)[0]

    def nodes(
        self,
        op: str,
        inputs: Sequence[str],
        *,
        n_outputs: int,
        domain: str = "",
        **attributes: object,
    ) -> list[str]:
        """Add a node of several outputs and return their names."""
        from onnx import helper

        outputs = [self._fresh(op) for _ in range(n_outputs)]
        given = {key: _attribute(value) for key, value in attributes.items()}
        self._nodes.append(helper.make_node(op, list(inputs), outputs, domain=domain, **given))
        return outputs

    def cast(self, tensor: str, dtype: type[np.generic]) -> str:
        """Add a node that converts `tensor` to another type and return the output's name."""
        return self.node("Cast", [tensor], to=_onnx_type(dtype))

    def splice(self, model: onnx.ModelProto, *, inputs: dict[str, str]) -> list[str]:
        """Copy another model's nodes in, its inputs bound to our tensors; return its outputs' names."""
        rename = dict(inputs)
        initializers, nodes = self._renamed(model.graph, rename)
        self._initializers += initializers
        self._nodes += nodes
        return [rename[value.name] for value in model.graph.output]

    def _renamed(
        self, graph: onnx.GraphProto, rename: dict[str, str]
    ) -> tuple[list[onnx.TensorProto], list[onnx.NodeProto]]:
        """Copy a graph's constants and nodes under fresh names, which are added to `rename`."""
        for name in [tensor.name for tensor in graph.initializer] + [
            name for node in graph.node for name in node.output if name
        ]:
            # Not by its own name: converters number theirs through all that a process converts.
            rename[name] = self._fresh(_SPLICED)
        initializers = []
        for tensor in graph.initializer:
            copied = type(tensor)()
            copied.CopyFrom(tensor)
            copied.name = rename[tensor.name]
            initializers.append(copied)
        nodes = []
        for node in graph.node:
            moved = type(node)()
            moved.CopyFrom(node)
            moved.name = ""
            moved.input[:] = [rename.get(name, name) for name in node.input]
            moved.output[:] = [rename.get(name, name) for name in node.output]
            for attribute in moved.attribute:
                if attribute.HasField("g"):
                    self._rename_body(attribute.g, rename)
            nodes.append(moved)
        return initializers, nodes

    def _rename_body(self, body: onnx.GraphProto, outer: dict[str, str]) -> None:
        """Rename everything in the body of a Scan, Loop or If; it may read tensors of the graph around it."""
        rename = dict(outer)
        for value in body.input:
            rename[value.name] = self._fresh(_SPLICED)
        initializers, nodes = self._renamed(body, rename)
        for value in [*body.input, *body.output]:
            value.name = rename[value.name]
        del body.initializer[:], body.node[:]
        body.initializer.extend(initializers)
        body.node.extend(nodes)

    def build(self, *, name: str = "engine") -> onnx.ModelProto:
        """Return the finished, checked model; equal graphs give equal bytes.

        Raises
        ------
        onnx.checker.ValidationError
            If a node is malformed: a fault of the room that wrote it.
        """
        import onnx
        from onnx import helper

        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="engine", ir_version=10)
        onnx.checker.check_model(model)
        return model

    def _fresh(self, stem: str) -> str:
        name = f"{stem}_{len(self._taken)}"
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def _onnx_type(dtype: type[np.generic]) -> int:
    from onnx import TensorProto, helper

    if issubclass(dtype, np.str_):
        return int(TensorProto.STRING)
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _attribute(value: object) -> object:
    if not isinstance(value, np.ndarray):
        return value
    from onnx import TensorProto, helper, numpy_helper

    if value.dtype.kind in "UO":
        encoded = [str(item).encode() for item in value.ravel()]
        return helper.make_tensor("value", TensorProto.STRING, list(value.shape), encoded)
    return numpy_helper.from_array(np.ascontiguousarray(value))
