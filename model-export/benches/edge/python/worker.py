"""A peer as a process: worker.py RUNTIME GRAPH INPUT, or worker.py versions.

Loads the ONNX graph and the input (f32, little-endian), then answers lines on standard input: `run N` with N times in
nanoseconds, `output FILE` with a file of features. One thread, f32 throughout.
"""

import sys
import time
from importlib.metadata import version

import numpy as np


def onnxruntime(graph, clip):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: clip}
    return lambda: session.run(None, feed)[0]


def openvino(graph, clip):
    import openvino as ov

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        # Where the processor has bfloat16, it would be taken: another function than the one compared with.
        "INFERENCE_PRECISION_HINT": "f32",
    }
    compiled = ov.Core().compile_model(graph, "CPU", settings)
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(clip, shared_memory=True))

    def step():
        request.infer()
        return request.get_output_tensor(0).data

    return step


def litert(graph, clip):
    from ai_edge_litert.interpreter import Interpreter

    from litert_graph import from_onnx

    interpreter = Interpreter(model_content=from_onnx(graph), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]
    # Its own layout, frames first and channels last.
    interpreter.set_tensor(source, np.ascontiguousarray(clip[0].transpose(1, 2, 3, 0)))

    def step():
        interpreter.invoke()
        return interpreter.get_tensor(target).T

    return step


def main() -> None:
    if sys.argv[1] == "versions":
        for name, package in [("ONNX Runtime", "onnxruntime"), ("OpenVINO", "openvino"), ("LiteRT", "ai-edge-litert")]:
            print(name, version(package))
        return
    runtime, graph, clip_file = sys.argv[1:]
    values = np.fromfile(clip_file, dtype="<f4")
    side = round((values.size / (3 * 16)) ** 0.5)
    clip = values.reshape(1, 3, 16, side, side)
    step = {"onnxruntime": onnxruntime, "openvino": openvino, "litert": litert}[runtime](graph, clip)
    for line in sys.stdin:
        command, argument = line.split(maxsplit=1)
        if command == "run":
            times = []
            for _ in range(int(argument)):
                begin = time.perf_counter_ns()
                step()
                times.append(str(time.perf_counter_ns() - begin))
            print(*times, flush=True)
        else:
            np.ascontiguousarray(step(), dtype="<f4").tofile(argument.strip())
            print("written", flush=True)


main()
