"""The served form: a folder with an ONNX graph, its catalogue and its checksums."""
