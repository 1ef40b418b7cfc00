//! Settings of the runtime that suit 3-D convolutions.
//!
//! They choose among kernels that compute the same thing; sums may be taken in another order.

use tract_onnx::prelude::TractResult;
use tract_onnx::prelude::tract_data::knobs::KnobScope;

/// Settings for the preparation of one graph. An environment variable of the same name loses
/// against them.
pub(crate) fn scope() -> TractResult<KnobScope> {
    KnobScope::new([])
}
