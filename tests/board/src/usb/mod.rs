//! A USB camera that this machine plays for the emulated board. The emulator takes a device's side from a socket (the usbredir protocol), so
//! the board's own drivers see a webcam on their bus: it is plugged, unplugged, comes back with other formats, and lies.

mod camera;
mod descriptors;
mod film;
mod redir;
mod uvc;
mod webcam;

pub use film::{Format, RATE_HZ};
pub use uvc::PRODUCT;
pub use webcam::{Conduct, Model, Webcam};
