//! The board: camera frames in, alarms out.
