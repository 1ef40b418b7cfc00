//! Quantisation of I3D-lite: which layers compute in int8 on a board, on which grids, and what that costs.
//!
//! - [`footage`]: windows of videos;
//! - [`range`]: from the values of a layer's inputs to the grid that they are rounded to;
//! - [`calibration`]: the whole network, layer by layer, over normal footage, with biases corrected for what rounding
//!   changes on average (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV
//!   2019, the empirical form), and the error that each layer brings;
//! - [`learning`]: quantisation-aware training, where that costs too much;
//! - [`gate`]: what held-back videos say of it.

pub mod calibration;
pub mod footage;
pub mod gate;
pub mod learning;
pub mod range;
