"""The served form: a folder with an ONNX graph, its catalogue and its checksums."""

import os

# From 1.31 on ONNX Runtime tells its makers of every session, unless this is set when it loads.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
