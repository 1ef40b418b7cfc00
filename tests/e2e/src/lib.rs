//! The whole flow as its users run it.
