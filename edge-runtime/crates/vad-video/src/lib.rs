//! Frames from video files and image folders.
