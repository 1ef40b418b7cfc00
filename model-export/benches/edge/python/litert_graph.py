"""I3D-lite as a LiteRT graph, from its ONNX graph.

LiteRT has no depthwise convolution over volumes, and its Conv3D is not among the operators with fast kernels. The layers
are written as the two-dimensional ones that are: frames as a batch for kernels over the picture; for kernels over time the
same bytes seen as a picture of T rows and H x W columns, with zeros before the first row. No bytes are moved between the two.
"""

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as lite
from onnx import numpy_helper

Op, Kind = lite.BuiltinOperator, lite.BuiltinOptions
SAME, VALID = lite.Padding.SAME, lite.Padding.VALID


class Graph:
    def __init__(self):
        self.model = lite.ModelT()
        self.model.version = 3
        self.model.description = "i3d-lite"
        self.model.buffers = [lite.BufferT()]
        self.model.operatorCodes = []
        self.graph = lite.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]
        self.codes = {}

    def shape(self, tensor):
        return self.graph.tensors[tensor].shape

    def tensor(self, name, shape, values=None):
        tensor = lite.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, [int(n) for n in shape], lite.TensorType.FLOAT32, 0
        if values is not None:
            if values.dtype == np.int32:
                tensor.type = lite.TensorType.INT32
            buffer = lite.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, name, values):
        return self.tensor(name, values.shape, values)

    def op(self, code, inputs, name, shape, kind=Kind.NONE, options=None):
        if code not in self.codes:
            operator = lite.OperatorCodeT()
            operator.builtinCode, operator.deprecatedBuiltinCode, operator.version = code, min(code, 127), 1
            self.codes[code] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(operator)
        output = self.tensor(name, shape)
        operator = lite.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = self.codes[code], inputs, [output]
        operator.builtinOptionsType, operator.builtinOptions = kind, options
        self.graph.operators.append(operator)
        return output

    def reshape(self, x, name, shape):
        options = lite.ReshapeOptionsT()
        options.newShape = list(shape)
        target = self.constant(f"{name}.shape", np.array(shape, np.int32))
        return self.op(Op.RESHAPE, [x, target], name, shape, Kind.ReshapeOptions, options)

    def conv(self, x, name, weight, bias, stride, padding, depthwise, relu):
        """`weight` is `[out, h, w, in]`, or `[1, h, w, channels]` where depthwise; strides are the same both ways."""
        n, h, w, _ = self.shape(x)
        if padding == SAME:
            size = [-(-h // stride), -(-w // stride)]
        else:
            size = [(h - weight.shape[1]) // stride + 1, (w - weight.shape[2]) // stride + 1]
        options = lite.DepthwiseConv2DOptionsT() if depthwise else lite.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = padding, stride, stride
        options.dilationHFactor = options.dilationWFactor = 1
        if relu:
            options.fusedActivationFunction = lite.ActivationFunctionType.RELU
        if depthwise:
            options.depthMultiplier = 1
        code, kind = (
            (Op.DEPTHWISE_CONV_2D, Kind.DepthwiseConv2DOptions) if depthwise else (Op.CONV_2D, Kind.Conv2DOptions)
        )
        inputs = [x, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        channels = weight.shape[3] if depthwise else weight.shape[0]
        return self.op(code, inputs, name, [n, *size, channels], kind, options)

    def over_time(self, x, name, weight, bias, relu):
        """`weight` is `[1, frames, 1, channels]`."""
        t, h, w, c = self.shape(x)
        rows = self.reshape(x, f"{name}.rows", [1, t, h * w, c])
        before = weight.shape[1] - 1
        zeros = self.constant(f"{name}.zeros", np.array([[0, 0], [before, 0], [0, 0], [0, 0]], np.int32))
        padded = self.op(Op.PAD, [rows, zeros], f"{name}.padded", [1, t + before, h * w, c], Kind.PadOptions, lite.PadOptionsT())
        sums = self.conv(padded, f"{name}.sums", weight, bias, 1, VALID, True, relu)
        return self.reshape(sums, name, [t, h, w, c])

    def add(self, a, b, name):
        options = lite.AddOptionsT()
        return self.op(Op.ADD, [a, b], name, self.shape(a), Kind.AddOptions, options)

    def picture_mean(self, x, name):
        t, _, _, c = self.shape(x)
        options = lite.ReducerOptionsT()
        axes = self.constant(f"{name}.axes", np.array([1, 2], np.int32))
        return self.op(Op.MEAN, [x, axes], name, [t, c], Kind.ReducerOptions, options)

    def to_bytes(self, source, target):
        self.graph.inputs, self.graph.outputs = [source], [target]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def from_onnx(path):
    """The bytes of the graph, `[T, H, W, 3]` to `[T, D]`."""
    source = onnx.load(path).graph
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in source.initializer}
    _, channels, *size = [dim.dim_value for dim in source.input[0].type.tensor_type.shape.dim]
    graph = Graph()
    first = graph.tensor("clip", [*size, channels])
    made = {source.input[0].name: first}
    # A convolution and the ReLU behind it are one operator.
    fused = {node.input[0]: node.output[0] for node in source.node if node.op_type == "Relu"}
    for node in source.node:
        x, name = made.get(node.input[0]), node.output[0]
        if node.op_type == "Conv":
            made[name] = conv(graph, node, x, [weights[key] for key in node.input[1:]], name in fused)
        elif node.op_type == "Relu":
            made[name] = x
        elif node.op_type == "Add":
            made[name] = graph.add(x, made[node.input[1]], name)
        elif node.op_type == "ReduceMean":
            made[name] = graph.picture_mean(x, name)
        else:
            raise NotImplementedError(f"{node.op_type}, the operator of {name}")
    return graph.to_bytes(first, made[source.output[0].name])


def conv(graph, node, x, parameters, relu):
    settings = {a.name: list(a.ints) or a.i for a in node.attribute}
    weight = parameters[0]
    bias = parameters[1] if len(parameters) > 1 else np.zeros(weight.shape[0], np.float32)
    depthwise = settings.get("group", 1) > 1
    frames, side = weight.shape[2], weight.shape[3]
    stride = settings["strides"][2]
    if frames > 1:
        kernel = weight[:, 0, :, :, 0].transpose(1, 2, 0)[None]
        return graph.over_time(x, node.output[0], kernel, bias, relu)
    kernel = weight[:, :, 0].transpose(1, 2, 3, 0) if depthwise else weight[:, :, 0].transpose(0, 2, 3, 1)
    # The stem's patches fit; other kernels pad as SAME does, which is what the exporter writes.
    padding = VALID if side == stride else SAME
    return graph.conv(x, node.output[0], kernel, bias, stride, padding, depthwise, relu)
