//! Strict reading of ONNX bytes, before the runtime sees them.
//!
//! The runtime accepts far more than a bundle may hold, and its importer indexes and allocates by
//! what the file says. Here every name is resolved, every size is checked against the bytes present
//! and every operator is on a list, so that a hostile file ends in an [`InferError`] and not in a
//! panic or an allocation.

mod envelope;
mod graph;
mod tensor;
mod widened;

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::Framework;

use crate::InferError;

pub(crate) use tensor::floats;
pub(crate) use widened::{has_f16_weights, is_widening};

/// Largest model accepted, in bytes.
pub(crate) const MAX_MODEL_BYTES: usize = 256 * 1024 * 1024;

/// Operator sets the importer is tested with.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=18;

/// Parses and checks a whole model file.
pub(crate) fn parse(bytes: &[u8], name: &str) -> Result<ModelProto, InferError> {
    let malformed = |reason: String| InferError::Malformed { graph: name.to_owned(), reason };
    if bytes.len() > MAX_MODEL_BYTES {
        return Err(malformed(format!("{} bytes, at most {MAX_MODEL_BYTES}", bytes.len())));
    }
    envelope::check(bytes).map_err(malformed)?;
    let mut reader = bytes;
    let model =
        tract_onnx::onnx().proto_model_for_read(&mut reader).map_err(|e| malformed(format!("{e:#}")))?;
    check_header(&model).map_err(malformed)?;
    graph::check(&model, name)?;
    Ok(model)
}

fn check_header(model: &ModelProto) -> Result<(), String> {
    if !model.functions.is_empty() || !model.training_info.is_empty() {
        return Err("it defines functions or training steps".to_owned());
    }
    match model.opset_import.as_slice() {
        [only] if is_default_domain(&only.domain) && OPSETS.contains(&only.version) => Ok(()),
        [only] => Err(format!("operator set {:?} {}, expected {OPSETS:?}", only.domain, only.version)),
        other => Err(format!("{} operator sets, expected one", other.len())),
    }
}

/// Whether an operator domain is ONNX's own.
fn is_default_domain(domain: &str) -> bool {
    domain.is_empty() || domain == "ai.onnx"
}
