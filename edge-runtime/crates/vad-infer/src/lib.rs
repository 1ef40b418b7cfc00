//! Encoder and head graphs run by tract.
