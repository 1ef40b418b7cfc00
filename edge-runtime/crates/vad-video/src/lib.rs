//! Frames from video files and image folders, and video files from frames.
//!
//! Shared by the host (feature extraction) and the board (replay), so both see the same pixels of the same file.
//! Decoding and encoding are done by the `ffmpeg` program: this crate starts it, bounds what it may do, and turns
//! its answers into frames or into an error that says which file, which frame and why.
//!
//! What is deliberately absent: resizing and normalising (`vad-core`), cameras and network streams, audio, seeking,
//! and concealment. A damaged file is an error, never a shorter video. What no reader can notice is a transport
//! stream or raw stream cut exactly between two packets: such containers do not say how long they should be.
//!
//! ```no_run
//! # fn main() -> Result<(), vad_video::VideoError> {
//! let mut source = vad_video::FrameSource::open("clip.mp4".as_ref())?;
//! let mut frame = vad_video::FrameBuf::new();
//! while source.next_frame(&mut frame)? {
//!     let _pixels = frame.as_frame();
//! }
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]

mod decode;
mod error;
mod frame_buf;
mod images;
mod info;
mod jpeg;
mod log;
mod mp4;
mod natural;
mod ppm;
mod probe;
mod program;
mod source;
mod writer;

pub use error::VideoError;
pub use frame_buf::FrameBuf;
pub use info::{MAX_SIDE_PX, VideoInfo};
pub use natural::natural_cmp;
pub use program::ffmpeg_version;
pub use source::{DEFAULT_IMAGE_RATE_HZ, FrameSource, is_image_file};
pub use writer::VideoWriter;
