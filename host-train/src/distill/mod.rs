//! I3D-lite learns to see as I3D does: distillation from I3D's features on footage without labels.
//!
//! ```text
//! videos --decoded once--> film (resized frames on disk) --windows--> student --mean per clip and place, projected--> loss
//!    `--- I3D ---> its last map, averaged over the student's places, on disk, standardised -----------------------------^
//! ```
//!
//! The projection is thrown away at the end; boards run the student alone.

pub mod beginning;
pub mod config;
pub mod error;
pub mod film;
pub mod imagenet;
pub mod lessons;
pub mod loss;
pub mod student;
mod survey;
pub mod training;
