//! The bundle: the folder that carries one model from exporter to board.
//!
//! # Format, version 1
//!
//! A bundle is a folder with exactly these regular files, the last one only where the model describes an attention:
//!
//! | file | content | at most |
//! |---|---|---|
//! | `manifest.json` | what the others are | 64 KiB |
//! | the encoder's, `encoder.onnx` | encoder graph | 256 MiB |
//! | the head's, `head.onnx` | head graph | 64 MiB |
//! | the attention's, `attention.onnx` | attention graph | 64 MiB |
//!
//! The manifest is one JSON object with these fields, all present, none else:
//!
//! | field | meaning |
//! |---|---|
//! | `format_version` | `1` |
//! | `name` | model name, 1 to 64 of ASCII letters, digits, `.`, `_`, `-` |
//! | `version` | grows with each release of that name |
//! | `rollback_index` | lowest version a board may return to once this bundle passed its trial; at most `version` |
//! | `boards` | names of the boards allowed, `[a-z0-9_-]{1,32}` each, sorted, without repeats, at most 64; empty means any |
//! | `model` | the `ModelSpec`: preprocessing, clips, sizes, calibration, thresholds |
//! | `artefacts` | objects `{role, path, bytes, sha256}`: `encoder`, `head`, and `attention` where `model.attention` is |
//! | `total_bytes` | sum of the artefacts' `bytes` |
//! | `signature` | reserved for the signature over the manifest, `null` in this version |
//! | `checksum` | SHA-256 of the manifest as written with `checksum` empty, lower-case hex |
//!
//! `path` is a plain file name, `[a-z0-9][a-z0-9._-]*` of at most 64 characters: no folder, no `..`,
//! nothing absolute. `sha256` is 64 lower-case hex digits.
//!
//! The bytes of a manifest are *canonical*: the fields in the order above, two spaces of indent, one
//! line feed at the end, numbers in their shortest form. A reader writes what it parsed again and
//! refuses any difference, so unknown, missing or duplicate fields, trailing bytes and other
//! spellings cannot hide. `checksum` finds damage; it does not stop a forger. That is the
//! signature's task, whose place is the `signature` field: it will hold the key id and the
//! signature of the canonical manifest with `signature` `null` and `checksum` empty. Until then a
//! value there is refused, because an unchecked signature is worse than none.
//!
//! # Identity
//!
//! [`Bundle::id`] is the SHA-256 of the manifest's bytes. The manifest holds the artefacts' hashes,
//! so the id names every byte of the bundle; alarms carry its first eight bytes.
//!
//! # Reading
//!
//! [`Bundle::open`] verifies everything and keeps the buffers it verified, so what is loaded is
//! what was checked, whatever happens to the files. It allocates no more than the limits above and
//! follows no symbolic link inside the folder. Writing needs the feature `write`, which boards do
//! not have.
#![deny(missing_docs)]

mod bundle;
mod digest;
mod error;
mod files;
mod manifest;
#[cfg(feature = "write")]
mod write;

pub use bundle::Bundle;
pub use error::BundleError;
pub use manifest::{Artefact, ArtefactRole, FORMAT_VERSION, Manifest, Signature};
#[cfg(feature = "write")]
pub use write::{BundleDraft, write};

/// Name of the manifest inside a bundle.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Largest manifest accepted, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 64 * 1024;
