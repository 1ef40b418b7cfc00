//! The Inception block: four branches side by side.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::padding::Padding;
use super::source::Names;
use super::unit::{Build, Learning, Unit};
use crate::tensors::{Arrays, TensorsError};

/// One look at each place, two looks around it of different widths, and the greatest value around it.
#[derive(Module, Debug)]
pub struct Inception {
    branch_0: Unit,
    branch_1: [Unit; 2],
    branch_2: [Unit; 2],
    branch_3: Unit,
    #[module(skip)]
    padding: Padding,
}

impl Inception {
    /// Loads block `name`, for example `Mixed_3b`; the widths within it follow the arrays.
    ///
    /// # Errors
    /// When an array is missing or of another shape.
    pub fn load(build: Build<'_>, name: &str, inputs: usize) -> Result<Self, TensorsError> {
        let [direct, reduce_1, wide_1, reduce_2, wide_2, pooled] = build.source.names.branches();
        let unit = |part: &str, inputs: usize, kernel: usize| {
            Unit::load(build, &format!("{name}.{part}"), inputs, [kernel; 3], 1)
        };
        let pair = |reduce: &str, wide: &str| {
            let reduce = unit(reduce, inputs, 1)?;
            let wide = unit(wide, reduce.outputs(), 3)?;
            Ok::<_, TensorsError>([reduce, wide])
        };
        Ok(Self {
            branch_0: unit(direct, inputs, 1)?,
            branch_1: pair(reduce_1, wide_1)?,
            branch_2: pair(reduce_2, wide_2)?,
            branch_3: unit(pooled, inputs, 1)?,
            padding: build.padding,
        })
    }

    /// Runs the block.
    ///
    /// # Shapes
    /// `[N, inputs, T, H, W]`, nowhere negative, to `[N, outputs, T, H, W]`.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let [reduce_1, wide_1] = &self.branch_1;
        let [reduce_2, wide_2] = &self.branch_2;
        let branches = vec![
            self.branch_0.forward(x.clone()),
            wide_1.forward(reduce_1.forward(x.clone())),
            wide_2.forward(reduce_2.forward(x.clone())),
            self.branch_3.forward(self.padding.max_pool3d(x, [3; 3], [1; 3])),
        ];
        Tensor::cat(branches, 1)
    }

    /// Channels of the output.
    pub fn outputs(&self) -> usize {
        let last = [&self.branch_0, &self.branch_1[1], &self.branch_2[1], &self.branch_3];
        last.into_iter().map(Unit::outputs).sum()
    }

    /// The same with other parameters learning.
    pub fn learning(self, learning: Learning) -> Self {
        Self {
            branch_0: self.branch_0.learning(learning),
            branch_1: self.branch_1.map(|unit| unit.learning(learning)),
            branch_2: self.branch_2.map(|unit| unit.learning(learning)),
            branch_3: self.branch_3.learning(learning),
            padding: self.padding,
        }
    }

    /// Adds the parameters and statistics, or the gradients alone, of block `name`.
    pub(super) fn store(
        &self,
        name: &str,
        names: Names,
        grads: Option<&GradientsParams>,
        arrays: &mut Arrays,
    ) {
        let [reduce_1, wide_1] = &self.branch_1;
        let [reduce_2, wide_2] = &self.branch_2;
        let units = [&self.branch_0, reduce_1, wide_1, reduce_2, wide_2, &self.branch_3];
        for (part, unit) in names.branches().into_iter().zip(units) {
            unit.store(&format!("{name}.{part}"), names, grads, arrays);
        }
    }
}
