//! I3D-lite learns to see as I3D does: distillation from I3D's features on footage without labels.
//!
//! ```text
//! videos --decoded once--> film (resized frames on disk) --windows--> student --mean per clip, projected--> loss
//!    `--- watchpost extract --> I3D's features of the same clips, standardised --------------------------------^
//! ```
//!
//! The projection is thrown away at the end; boards run the student alone.

pub mod config;
pub mod error;
pub mod film;
pub mod lessons;
pub mod loss;
pub mod student;
pub mod training;
