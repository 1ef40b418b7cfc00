//! Files that do not serve are refused with the file and the remedy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use mqtt_tls::{FileError, Files, Role, Tls};
use rcgen::{CertificateParams, KeyPair};

struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        for name in ["a", "b"] {
            let key = KeyPair::generate().unwrap();
            let certificate =
                CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
            made.write(&format!("{name}.crt"), &certificate.pem());
            made.write(&format!("{name}.key"), &key.serialize_pem());
        }
        made.write("empty", "");
        made.write("garbage", "\u{0}\u{1} no certificate \u{2}");
        made.write("cut.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n");
        made
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self, ca: &str, identity: Option<(&str, &str)>) -> Result<Tls, FileError> {
        let identity = identity.map(|(certificate, key)| (self.path(certificate), self.path(key)));
        Tls::load(&Files { ca: self.path(ca), identity })
    }
}

#[test]
fn good_files_are_taken_and_no_key_is_shown() {
    let made = Made::new();
    let alone = made.load("a.crt", None).unwrap();
    assert!(!alone.is_mutual());
    assert_eq!(alone.authorities(), 1);
    let mutual = made.load("b.crt", Some(("a.crt", "a.key"))).unwrap();
    assert!(mutual.is_mutual());
    let shown = format!("{mutual:?}");
    assert!(shown.contains("a.key"), "{shown}");
    assert!(!shown.contains("PRIVATE") && shown.len() < 500, "{shown}");
}

#[test]
fn wrong_files_name_the_file_and_the_remedy() {
    let made = Made::new();
    let cases = [
        ("missing", None, Role::Ca, "missing", "cannot be read"),
        ("empty", None, Role::Ca, "empty", "holds no certificate"),
        ("garbage", None, Role::Ca, "garbage", "holds no certificate"),
        ("a.key", None, Role::Ca, "a.key", "holds no certificate"),
        ("cut.crt", None, Role::Ca, "cut.crt", "copy it anew"),
        ("a.crt", Some(("empty", "a.key")), Role::Certificate, "empty", "holds no certificate"),
        ("a.crt", Some(("a.crt", "empty")), Role::Key, "empty", "holds no private key"),
        ("a.crt", Some(("a.crt", "b.crt")), Role::Key, "b.crt", "holds no private key"),
        ("a.crt", Some(("a.crt", "b.key")), Role::Key, "b.key", "does not belong to the certificate"),
        ("a.crt", Some(("a.crt", "missing")), Role::Key, "missing", "cannot be read"),
    ];
    for (ca, identity, role, file, says) in cases {
        let error = made.load(ca, identity).unwrap_err();
        assert_eq!((error.role, error.file.as_path()), (role, made.path(file).as_path()), "{error}");
        assert!(error.problem.contains(says), "{error}");
    }
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    let error = Tls::load(&Files { ca: Path::new("/dev/zero").to_owned(), identity: None }).unwrap_err();
    assert!(error.problem.contains("is longer than"), "{error}");
}
