//! Where a model looked, laid over the picture that it saw: for the board, which explains an alarm, and the host, which shows
//! what an encoder learnt.
//!
//! A [`HeatMap`] has a value for each place of a coarse map and knows where in the encoder's picture the places lie. It is
//! laid over a picture of the same scene, whatever its size, in colours of a [`Scale`]. A [`Figure`] is such a picture
//! with a caption, its scale and the score over time, as an operator is given it.
//!
//! Deliberately absent: files, videos and networks.
#![deny(missing_docs)]

mod curve;
mod figure;
mod file;
mod heat;
mod lettering;
mod scale_bar;

pub use curve::Curve;
pub use figure::{Figure, Look};
pub use file::{shrunk, write_jpeg, write_png};
pub use heat::{HeatMap, Scale, colour};
pub use lettering::{HEIGHT as LETTER_PX, fitted, width_px, write};
pub use scale_bar::{BAR_PX, draw_scale};

/// The picture that everything here draws on.
pub use image::RgbImage as Picture;
