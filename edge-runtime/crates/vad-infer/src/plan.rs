//! One prepared graph: fixed input and output shape, f32 both ways.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::prelude::multithread::Executor;
use tract_onnx::prelude::*;

use crate::{InferError, model_file, tuning};

/// Most values in any tensor of a graph (256 MiB of f32).
const MAX_TENSOR_ELEMENTS: usize = 64 * 1024 * 1024;

/// A graph ready to run. Runs share nothing, so one plan serves several threads.
#[derive(Debug)]
pub(crate) struct Plan {
    name: String,
    input: Vec<usize>,
    runnable: Arc<TypedRunnableModel>,
}

impl Plan {
    /// Loads `bytes` and checks them against the shapes a spec asks for.
    pub(crate) fn load(
        bytes: &[u8],
        name: &str,
        input: &[usize],
        output: &[usize],
    ) -> Result<Self, InferError> {
        let model = model_file::parse(bytes, name)?;
        check_declared_input(&model, name, input)?;
        let refused = |reason| InferError::Prepare { graph: name.to_owned(), reason };
        let typed = guarded(|| typed(&model, input)).map_err(refused)?;
        check_output(&typed, name, output)?;
        check_sizes(&typed, name)?;
        let runnable = guarded(|| runnable(typed)).map_err(refused)?;
        Ok(Self { name: name.to_owned(), input: input.to_vec(), runnable })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn input_shape(&self) -> &[usize] {
        &self.input
    }

    pub(crate) fn input_len(&self) -> usize {
        self.input.iter().product()
    }

    /// Runs the graph on one row-major input.
    pub(crate) fn run(&self, input: &[f32]) -> Result<Vec<f32>, InferError> {
        if input.len() != self.input_len() {
            let (expected, found) = (self.input_len(), input.len());
            return Err(InferError::InputLength { graph: self.name.clone(), expected, found });
        }
        self.check_finite("input", input)?;
        let failed = |reason| InferError::Run { graph: self.name.clone(), reason };
        let output = guarded(|| self.run_tract(input)).map_err(failed)?;
        self.check_finite("output", &output)?;
        Ok(output)
    }

    fn run_tract(&self, input: &[f32]) -> TractResult<Vec<f32>> {
        let tensor = Tensor::from_shape(&self.input, input)?;
        let outputs = self.runnable.run(tvec!(tensor.into_tvalue()))?;
        let output = &outputs[0];
        Ok(output.to_plain_array_view::<f32>()?.iter().copied().collect())
    }

    fn check_finite(&self, what: &'static str, values: &[f32]) -> Result<(), InferError> {
        match values.iter().position(|v| !v.is_finite()) {
            Some(index) => {
                let graph = self.name.clone();
                Err(InferError::NonFinite { graph, what, index, value: values[index] })
            }
            None => Ok(()),
        }
    }
}

/// Runs a step of the runtime; its error as text, and a panic inside it too.
fn guarded<T>(step: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(result) => result.map_err(|e| format!("{e:#}")),
        Err(_) => Err("the runtime gave up on it".to_owned()),
    }
}

fn typed(model: &tract_onnx::pb::ModelProto, input: &[usize]) -> TractResult<TypedModel> {
    onnx().model_for_proto_model(model)?.with_input_fact(0, f32::fact(input).into())?.into_typed()
}

fn runnable(typed: TypedModel) -> TractResult<Arc<TypedRunnableModel>> {
    let optimised = tuning::scope()?.enter(|| typed.into_optimized())?;
    let options = RunOptions { executor: Some(Executor::SingleThread), ..RunOptions::default() };
    optimised.into_runnable_with_options(&options)
}

/// The shape the file declares, which the runtime would silently replace by ours.
fn check_declared_input(
    model: &tract_onnx::pb::ModelProto,
    name: &str,
    expected: &[usize],
) -> Result<(), InferError> {
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
