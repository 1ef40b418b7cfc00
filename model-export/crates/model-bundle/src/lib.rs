//! The bundle folder: manifest, hashes, verification.
