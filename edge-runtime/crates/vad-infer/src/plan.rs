//! One prepared graph: fixed input and output shape, f32 both ways.

use std::sync::Arc;

use tract_onnx::prelude::*;

use crate::prepare::{self, Arithmetic, guarded};
use crate::{InferError, LazyIm2col};

/// Shapes that a spec asks of a graph, and the graph's name for errors.
#[derive(Debug, Clone)]
pub(crate) struct Contract {
    pub(crate) name: String,
    pub(crate) input: Vec<usize>,
    pub(crate) output: Vec<usize>,
}

impl Contract {
    pub(crate) fn new(name: &str, input: &[usize], output: &[usize]) -> Self {
        Self { name: name.to_owned(), input: input.to_vec(), output: output.to_vec() }
    }

    /// Runs a step on one row-major input; what goes in and what comes out is finite.
    pub(crate) fn run(
        &self,
        input: &[f32],
        step: impl FnOnce(&[f32]) -> TractResult<Vec<f32>>,
    ) -> Result<Vec<f32>, InferError> {
        let expected = self.input.iter().product();
        if input.len() != expected {
            return Err(InferError::InputLength { graph: self.name.clone(), expected, found: input.len() });
        }
        check_finite(&self.name, "input", input)?;
        let failed = |reason| InferError::Run { graph: self.name.clone(), reason };
        let output = guarded(|| step(input)).map_err(failed)?;
        check_finite(&self.name, "output", &output)?;
        Ok(output)
    }

    /// As [`Self::run`], by tract.
    pub(crate) fn run_graph(
        &self,
        input: &[f32],
        arithmetic: Arithmetic,
        run: impl FnOnce(TVec<TValue>) -> TractResult<TVec<TValue>>,
    ) -> Result<Vec<f32>, InferError> {
        self.run(input, |input| {
            let input = Tensor::from_shape(&self.input, input)?;
            let input = input.cast_to_dt(arithmetic.datum_type())?.into_owned();
            let outputs = run(tvec!(input.into_tvalue()))?;
            let output = outputs[0].cast_to::<f32>()?;
            Ok(output.to_plain_array_view::<f32>()?.iter().copied().collect())
        })
    }
}

/// Refuses NaN and infinity among what goes into a graph or comes out of it.
pub(crate) fn check_finite(graph: &str, what: &'static str, values: &[f32]) -> Result<(), InferError> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => {
            Err(InferError::NonFinite { graph: graph.to_owned(), what, index, value: values[index] })
        }
        None => Ok(()),
    }
}

/// A graph ready to run. Runs share nothing, so one plan serves several threads.
#[derive(Debug)]
pub(crate) struct Plan {
    contract: Contract,
    runnable: Arc<TypedRunnableModel>,
}

impl Plan {
    /// Loads `bytes` and checks them against the shapes a spec asks for.
    pub(crate) fn load(
        bytes: &[u8],
        name: &str,
        input: &[usize],
        output: &[usize],
        lazy_im2col: LazyIm2col,
    ) -> Result<Self, InferError> {
        let contract = Contract::new(name, input, output);
        let runnable = prepare::clip(bytes, &contract, lazy_im2col)?;
        Ok(Self { contract, runnable })
    }

    pub(crate) fn name(&self) -> &str {
        &self.contract.name
    }

    /// Runs the graph on one row-major input.
    pub(crate) fn run(&self, input: &[f32]) -> Result<Vec<f32>, InferError> {
        self.contract.run_graph(input, Arithmetic::F32, |inputs| self.runnable.run(inputs))
    }
}
