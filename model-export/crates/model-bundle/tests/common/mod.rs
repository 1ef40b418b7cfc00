//! A small bundle whose artefacts need not be graphs: this crate does not look inside.
#![allow(dead_code, clippy::unwrap_used, reason = "test support")]

use std::fs;
use std::path::{Path, PathBuf};

use model_bundle::{Bundle, BundleDraft, MANIFEST_FILE};
use tempfile::TempDir;
use vad_core::ModelSpec;

pub fn draft() -> BundleDraft {
    BundleDraft {
        name: "gate-3".to_owned(),
        version: 7,
        rollback_index: 5,
        boards: vec!["north".to_owned(), "east-2".to_owned()],
        model: ModelSpec::i3d_mist("gate-3"),
        encoder: (0..96u8).collect(),
        head: b"head graph".to_vec(),
        attention: None,
        overwrite: false,
    }
}

/// A bundle on disk, in a folder of its own inside a temporary one.
pub struct Fixture {
    temp: TempDir,
    pub dir: PathBuf,
}

impl Fixture {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("bundle");
        model_bundle::write(&dir, draft()).unwrap();
        Self { temp, dir }
    }

    pub fn parent(&self) -> &Path {
        self.temp.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).unwrap()
    }

    /// The manifest with a text replaced; the text must be there.
    pub fn edit_manifest(&self, from: &str, to: &str) {
        let text = String::from_utf8(self.read(MANIFEST_FILE)).unwrap();
        assert!(text.contains(from), "{from:?} is not in the manifest:\n{text}");
        fs::write(self.file(MANIFEST_FILE), text.replacen(from, to, 1)).unwrap();
    }

    /// The refusal of this folder, as text.
    pub fn refusal(&self) -> String {
        Bundle::open(&self.dir).expect_err("the bundle must be refused").to_string()
    }
}
