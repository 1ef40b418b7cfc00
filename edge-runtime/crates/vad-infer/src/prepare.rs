//! Bytes of a graph to something that runs: read, checked, optimised.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::multithread::Executor;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::floats::FloatPrecisionTranslator;
use tract_onnx::tract_core::transform::ModelTransform;
use tract_pulse::internal::{PulsedModel, PulsedModelExt, ToDim};

use crate::plan::Contract;
use crate::{InferError, LazyIm2col, Pulse, lite, model_file};

#[cfg(test)]
mod tests;

/// Most values in any tensor of a graph (256 MiB of f32).
pub(crate) const MAX_TENSOR_ELEMENTS: usize = 64 * 1024 * 1024;

/// Axis of time in `[1, C, T, H, W]` and in `[1, D, T]`.
const TIME_AXIS: usize = 2;

/// Numbers that tract computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    F32,
    /// Input and output of the graph too.
    F16,
}

impl Arithmetic {
    /// tract's name for them.
    pub(crate) fn datum_type(self) -> DatumType {
        match self {
            Self::F32 => f32::datum_type(),
            Self::F16 => f16::datum_type(),
        }
    }
}

/// A graph that takes its whole input at once.
pub(crate) fn clip(
    bytes: &[u8],
    contract: &Contract,
    lazy_im2col: LazyIm2col,
) -> Result<Arc<TypedRunnableModel>, InferError> {
    let model = checked(bytes, contract)?;
    if let Some(node) = model.graph.iter().flat_map(|graph| &graph.node).find(|node| lite::is_linear(node)) {
        return Err(InferError::Int8 {
            graph: contract.name.clone(),
            node: node.name.clone(),
            reason: "only encoders of the kind I3D-lite compute in int8".to_owned(),
        });
    }
    let typed = guarded(|| typed(&model, &contract.input)).map_err(|reason| refused(contract, reason))?;
    check_output(&typed, &contract.name, &contract.output)?;
    ready(typed, contract, lazy_im2col)
}

/// A graph whose axis of time is a stream, of which it takes `pulse` frames at a time.
pub(crate) fn pulsed(
    model: &ModelProto,
    contract: &Contract,
    pulse: Pulse,
    lazy_im2col: LazyIm2col,
    arithmetic: Arithmetic,
) -> Result<Arc<TypedRunnableModel>, InferError> {
    let typed = guarded(|| typed(model, &contract.input)).map_err(|reason| refused(contract, reason))?;
    check_output(&typed, &contract.name, &contract.output)?;
    check_sizes(&typed, &contract.name)?;
    let (streamed, late) = guarded(|| streamed(model, &contract.input, pulse, arithmetic))
        .map_err(|reason| refused(contract, reason))?;
    if late > 0 {
        let reason = format!("it looks {late} frames ahead, so it cannot run on a stream");
        return Err(refused(contract, reason));
    }
    ready(streamed, contract, lazy_im2col)
}

/// Runs a step of the runtime; its error as text, and a panic inside it too.
pub(crate) fn guarded<T>(step: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(|e| format!("{e:#}")),
        Err(_) => Err("the runtime gave up on it".to_owned()),
    }
}

fn refused(contract: &Contract, reason: String) -> InferError {
    InferError::Prepare { graph: contract.name.clone(), reason }
}

/// The model in a file whose form and input are sound.
pub(crate) fn checked(bytes: &[u8], contract: &Contract) -> Result<ModelProto, InferError> {
    let model = model_file::parse(bytes, &contract.name)?;
    check_declared_input(&model, &contract.name, &contract.input)?;
    Ok(model)
}

fn typed(model: &ModelProto, input: &[usize]) -> TractResult<TypedModel> {
    onnx().model_for_proto_model(model)?.with_input_fact(0, f32::fact(input).into())?.into_typed()
}

/// The graph over pulses of a stream, and how many frames late its output is.
fn streamed(
    model: &ModelProto,
    input: &[usize],
    pulse: Pulse,
    arithmetic: Arithmetic,
) -> TractResult<(TypedModel, usize)> {
    // The shapes that the file declares for its outputs are those of one clip.
    let mut model = onnx().with_ignore_output_shapes(true).model_for_proto_model(model)?;
    let frames = model.symbols.sym("S");
    let mut shape: TVec<TDim> = input.iter().map(|dim| dim.to_dim()).collect();
    shape[TIME_AXIS] = frames.to_dim();
    model.set_input_fact(0, f32::fact(&*shape).into())?;
    let mut typed = model.into_typed()?.into_decluttered()?;
    if arithmetic == Arithmetic::F16 {
        // Before the axis becomes a stream: what holds its frames is made of the numbers that it finds.
        FloatPrecisionTranslator::new(f32::datum_type(), f16::datum_type()).transform(&mut typed)?;
        typed = typed.into_decluttered()?;
    }
    let pulsed = PulsedModel::new(&typed, frames, &pulse.frames().to_dim())?;
    let late = pulsed.output_fact(0)?.stream.as_ref().map_or(0, |stream| stream.delay);
    Ok((pulsed.into_typed()?.into_decluttered()?, late))
}

fn ready(
    typed: TypedModel,
    contract: &Contract,
    lazy_im2col: LazyIm2col,
) -> Result<Arc<TypedRunnableModel>, InferError> {
    check_sizes(&typed, &contract.name)?;
    guarded(|| runnable(typed, lazy_im2col)).map_err(|reason| refused(contract, reason))
}

fn runnable(typed: TypedModel, lazy_im2col: LazyIm2col) -> TractResult<Arc<TypedRunnableModel>> {
    let optimised = lazy_im2col.scope()?.enter(|| typed.into_optimized())?;
    let options = RunOptions { executor: Some(Executor::SingleThread), ..RunOptions::default() };
    optimised.into_runnable_with_options(&options)
}

/// The shape the file declares, which the runtime would silently replace by ours.
fn check_declared_input(model: &ModelProto, name: &str, expected: &[usize]) -> Result<(), InferError> {
    use tract_onnx::pb::tensor_shape_proto::dimension::Value;
    use tract_onnx::pb::type_proto::Value::TensorType;
    let declared = model
        .graph
        .iter()
        .flat_map(|g| &g.input)
        .filter_map(|i| i.r#type.as_ref()?.value.as_ref())
        .map(|TensorType(t)| t)
        .next();
    let dims: Option<Vec<i64>> = declared.and_then(|t| {
        let fixed = |v: &Option<Value>| match v {
            Some(Value::DimValue(d)) => Some(*d),
            _ => None,
        };
        t.shape.as_ref()?.dim.iter().map(|d| fixed(&d.value)).collect()
    });
    let is_float =
        declared.is_some_and(|t| t.elem_type == tract_onnx::pb::tensor_proto::DataType::Float as i32);
    let same = dims.as_ref().is_some_and(|dims| {
        dims.len() == expected.len() && dims.iter().zip(expected).all(|(&d, &e)| usize::try_from(d) == Ok(e))
    });
    if same && is_float {
        return Ok(());
    }
    let found = match dims {
        Some(dims) if is_float => format!("{dims:?}"),
        Some(dims) => format!("{dims:?} of another element type than f32"),
        None => "unknown or open".to_owned(),
    };
    let graph = name.to_owned();
    Err(InferError::Shape { graph, what: "input", expected: expected.to_vec(), found })
}

fn check_output(typed: &TypedModel, name: &str, expected: &[usize]) -> Result<(), InferError> {
    let fact = typed.output_fact(0).ok();
    let fits =
        fact.is_some_and(|f| f.datum_type == f32::datum_type() && f.shape.as_concrete() == Some(expected));
    if fits {
        return Ok(());
    }
    let found = fact.map_or_else(|| "unknown".to_owned(), |f| format!("{f:?}"));
    let graph = name.to_owned();
    Err(InferError::Shape { graph, what: "output", expected: expected.to_vec(), found })
}

fn check_sizes(typed: &TypedModel, name: &str) -> Result<(), InferError> {
    for node in typed.nodes() {
        for output in &node.outputs {
            let product = |n: usize, &d: &usize| n.checked_mul(d);
            let dims = output.fact.shape.as_concrete();
            let elements = dims.and_then(|d| d.iter().try_fold(1, product)).unwrap_or(usize::MAX);
            if elements > MAX_TENSOR_ELEMENTS {
                return Err(InferError::TooLarge {
                    graph: name.to_owned(),
                    node: node.name.clone(),
                    elements,
                    limit: MAX_TENSOR_ELEMENTS,
                });
            }
        }
    }
    Ok(())
}
