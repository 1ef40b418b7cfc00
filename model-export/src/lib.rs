//! Trained weights to ONNX graphs and bundles.
