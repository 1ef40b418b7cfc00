//! Where a model looked, laid over the picture that it saw: for the board, which explains an alarm, and the host, which shows
//! what an encoder learnt.
//!
//! A [`HeatMap`] has a value for each place of a coarse map and knows where in the encoder's picture the places lie. It is
//! laid over a picture of the same scene, whatever its size, in colours of a [`Scale`]. A [`Figure`] is such a picture
//! with a caption and its scale, as an operator is given it.
//!
//! Deliberately absent: files, videos and networks.
#![deny(missing_docs)]

mod figure;
mod heat;
mod lettering;
mod png;
mod scale_bar;

pub use figure::Figure;
pub use heat::{HeatMap, Scale, colour};
pub use lettering::{HEIGHT as LETTER_PX, fitted, width_px, write};
pub use png::write_png;
pub use scale_bar::{BAR_PX, draw_scale};

/// The picture that everything here draws on.
pub use image::RgbImage as Picture;
