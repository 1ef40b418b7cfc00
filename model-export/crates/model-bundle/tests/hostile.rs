//! Damaged and forged bundles are refused whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test")]

mod common;

use std::fs::{self, File};
use std::io::{Seek, Write};

use common::Fixture;
use model_bundle::{Bundle, BundleError, MANIFEST_FILE, MAX_MANIFEST_BYTES};

const FILES: [&str; 3] = [MANIFEST_FILE, "encoder.onnx", "head.onnx"];

fn overwrite(mut file: &File, bytes: &[u8]) {
    file.rewind().unwrap();
    file.write_all(bytes).unwrap();
}

#[test]
fn every_flipped_bit_is_refused() {
    let bundle = Fixture::new();
    for file in FILES {
        let good = bundle.read(file);
        // In place: to truncate and rewrite a file makes some file systems flush it each time.
        let handle = fs::OpenOptions::new().write(true).open(bundle.file(file)).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            overwrite(&handle, &bad);
            assert!(Bundle::open(&bundle.dir).is_err(), "bit {bit} of {file} was accepted");
        }
        overwrite(&handle, &good);
    }
    assert!(Bundle::open(&bundle.dir).is_ok(), "a refusal changes nothing");
}

#[test]
fn every_truncation_and_every_appended_byte_is_refused() {
    let bundle = Fixture::new();
    for file in FILES {
        let good = bundle.read(file);
        let handle = fs::OpenOptions::new().write(true).open(bundle.file(file)).unwrap();
        for end in (0..good.len()).rev() {
            handle.set_len(end as u64).unwrap();
            assert!(Bundle::open(&bundle.dir).is_err(), "{file} cut to {end} was accepted");
        }
        for extra in [b' ', b'\n', 0, b'}'] {
            let longer: Vec<u8> = good.iter().copied().chain([extra]).collect();
            fs::write(bundle.file(file), longer).unwrap();
            assert!(Bundle::open(&bundle.dir).is_err(), "{file} with {extra:#x} was accepted");
        }
        fs::write(bundle.file(file), &good).unwrap();
    }
}

#[test]
fn unknown_and_duplicate_fields_are_refused_at_every_level() {
    for (at, field) in [
        (r#""name": "gate-3","#, r#""name": "gate-3","#),
        (r#""version": 7,"#, r#""version": 7,"#),
        (r#""role": "head","#, r#""role": "head","#),
        (r#""frames": 16,"#, r#""frames": 16,"#),
        (r#""raise_threshold""#, r#""raise_threshold": 0.5,"#),
        (r#""signature": null,"#, r#""signature": null,"#),
    ] {
        let bundle = Fixture::new();
        bundle.edit_manifest(at, &format!("{field} {at}"));
        let text = bundle.refusal();
        assert!(text.contains("duplicate field"), "{at}: {text}");

        let bundle = Fixture::new();
        bundle.edit_manifest(at, &format!(r#""surprise": 1, {at}"#));
        let text = bundle.refusal();
        assert!(text.contains("unknown field `surprise`"), "{at}: {text}");
    }
}

#[test]
fn every_missing_field_is_refused_by_name() {
    let text = String::from_utf8(Fixture::new().read(MANIFEST_FILE)).unwrap();
    let top_level = text.lines().filter(|l| l.starts_with("  \"") && l.ends_with(','));
    let lines: Vec<&str> = top_level.collect();
    assert!(lines.len() >= 5, "{lines:?}");
    for line in lines {
        let bundle = Fixture::new();
        bundle.edit_manifest(&format!("{line}\n"), "");
        let text = bundle.refusal();
        assert!(text.contains("missing field"), "{line}: {text}");
    }
}

#[test]
fn a_file_name_cannot_leave_the_folder() {
    for path in [
        "../encoder.onnx",
        "/etc/passwd",
        "sub/encoder.onnx",
        "..",
        ".",
        "",
        ".hidden",
        "-rf",
        "a\\\\b",
        "encoder.onnx\\u0000",
        "Encoder.onnx",
        "manifest.json",
        "head.onnx",
    ] {
        let bundle = Fixture::new();
        fs::write(bundle.parent().join("encoder.onnx"), bundle.read("encoder.onnx")).unwrap();
        bundle.edit_manifest(r#""path": "encoder.onnx""#, &format!(r#""path": "{path}""#));
        let text = bundle.refusal();
        assert!(text.contains("field `path`"), "{path:?}: {text}");
    }
}

#[test]
fn another_version_and_a_signature_are_refused() {
    for (from, to, field) in [
        (r#""format_version": 1"#, r#""format_version": 2"#, "format_version"),
        (r#""format_version": 1"#, r#""format_version": 0"#, "format_version"),
        (r#""signature": null"#, r#""signature": "none""#, "manifest.json"),
        (r#""signature": null"#, r#""signature": {}"#, "manifest.json"),
        (r#""rollback_index": 5"#, r#""rollback_index": 8"#, "rollback_index"),
        (r#""version": 7"#, r#""version": 7.0"#, "manifest.json"),
        (r#""version": 7"#, r#""version": -7"#, "manifest.json"),
        (r#""version": 7"#, r#""version": 18446744073709551616"#, "manifest.json"),
        (r#""name": "gate-3""#, r#""name": "gate 3""#, "name"),
        (r#""east-2""#, r#""north""#, "boards"),
        (r#""east-2""#, r#""zulu""#, "boards"),
        (r#""role": "encoder""#, r#""role": "head""#, "artefacts"),
        (r#""bytes": 96"#, r#""bytes": 0"#, "bytes"),
        (r#""bytes": 96"#, r#""bytes": 268435457"#, "bytes"),
        (r#""total_bytes": 106"#, r#""total_bytes": 107"#, "total_bytes"),
        (r#""stride": 16"#, r#""stride": 17"#, "clip.stride"),
        ("127.5", "1e999", "manifest.json"),
        ("127.5", "null", "manifest.json"),
    ] {
        let bundle = Fixture::new();
        bundle.edit_manifest(from, to);
        let text = bundle.refusal();
        assert!(text.contains(field), "{to}: {text}");
    }
}

#[test]
fn another_spelling_of_the_same_values_is_refused() {
    for (from, to) in [
        (r#""version": 7"#, r#""version":7"#),
        (r#""version": 7"#, r#""vers\u0069on": 7"#),
        ("127.5", "127.50"),
        ("127.5", "1275e-1"),
        ("{", " {"),
    ] {
        let bundle = Fixture::new();
        bundle.edit_manifest(from, to);
        let text = bundle.refusal();
        assert!(text.contains("canonical"), "{to}: {text}");
    }
}

#[test]
fn a_consistent_manifest_with_a_stale_checksum_is_refused() {
    let bundle = Fixture::new();
    bundle.edit_manifest(r#""version": 7"#, r#""version": 8"#);
    assert!(bundle.refusal().contains("checksum"));
}

#[test]
fn extra_missing_and_exchanged_files_are_refused() {
    let bundle = Fixture::new();
    fs::write(bundle.file("notes.txt"), "").unwrap();
    assert!(matches!(Bundle::open(&bundle.dir), Err(BundleError::Stray { .. })));

    let bundle = Fixture::new();
    fs::create_dir(bundle.file("sub")).unwrap();
    assert!(matches!(Bundle::open(&bundle.dir), Err(BundleError::Stray { .. })));

    for file in FILES {
        let bundle = Fixture::new();
        fs::remove_file(bundle.file(file)).unwrap();
        let text = bundle.refusal();
        assert!(text.contains(file), "{text}");
        fs::create_dir(bundle.file(file)).unwrap();
        let text = bundle.refusal();
        assert!(text.contains("not a regular file"), "{text}");
    }

    let bundle = Fixture::new();
    let (a, b) = (bundle.read("encoder.onnx"), bundle.read("head.onnx"));
    fs::write(bundle.file("encoder.onnx"), b).unwrap();
    fs::write(bundle.file("head.onnx"), a).unwrap();
    assert!(matches!(Bundle::open(&bundle.dir), Err(BundleError::Length { .. })));
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_refused_even_to_the_right_content() {
    for file in FILES {
        let bundle = Fixture::new();
        let elsewhere = bundle.parent().join("elsewhere");
        fs::rename(bundle.file(file), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, bundle.file(file)).unwrap();
        let text = bundle.refusal();
        assert!(text.contains("not a regular file"), "{file}: {text}");
    }
}

#[test]
fn oversize_files_are_refused_without_being_read() {
    for (file, limit) in
        [(MANIFEST_FILE, MAX_MANIFEST_BYTES), ("encoder.onnx", 256 << 20), ("head.onnx", 64 << 20)]
    {
        let bundle = Fixture::new();
        let handle = fs::OpenOptions::new().write(true).open(bundle.file(file)).unwrap();
        // Sparse: the disk holds nothing of it.
        handle.set_len(limit + 1).unwrap();
        let error = Bundle::open(&bundle.dir).unwrap_err();
        assert!(matches!(error, BundleError::TooLarge { .. }), "{file}: {error}");
    }
}

#[test]
fn nothing_that_is_no_json_object_panics() {
    for content in ["", "null", "[]", "{}", "\"x\"", "{\"a\":", "\u{feff}{}", "[[[[[[[[[[[["] {
        let bundle = Fixture::new();
        fs::write(bundle.file(MANIFEST_FILE), content).unwrap();
        assert!(bundle.refusal().contains(MANIFEST_FILE));
    }
    for deep in ["[", "{\"model\":"] {
        let bundle = Fixture::new();
        let depth = 60_000 / deep.len();
        fs::write(bundle.file(MANIFEST_FILE), deep.repeat(depth)).unwrap();
        assert!(bundle.refusal().contains(MANIFEST_FILE));
    }
}
