//! Settings of the runtime that suit 3-D convolutions.
//!
//! They choose among kernels that compute the same thing; sums may be taken in another order. The
//! runtime takes them as *knobs*, through its own API and only around the preparation of one graph,
//! so nothing here touches the environment or another graph. An environment variable of a knob's
//! name wins over the setting below, for measurements on a board.

use tract_onnx::prelude::TractResult;
use tract_onnx::prelude::tract_data::knobs::KnobScope;

/// Knobs and their values. Gathering patches on the fly instead of writing them out first pays from
/// two taps on: the writer has a fast path for 1-D and 2-D kernels only. I3D's kernels have 27 taps
/// or one and are gathered either way; the setting is for (2+1)-D nets.
///
/// `TRACT_CPU_ISA` is absent on purpose: it is read once per process, and whether a board is better
/// off without AVX-512 must be measured there.
const SETTINGS: [(&str, &str); 1] = [("TRACT_LAZY_IM2COL_MIN_KERNEL", "2")];

/// The settings in force for the preparation of one graph.
pub(crate) fn scope() -> TractResult<KnobScope> {
    let unset = |(name, _): &(&str, &str)| std::env::var_os(name).is_none();
    KnobScope::new(SETTINGS.into_iter().filter(unset))
}
