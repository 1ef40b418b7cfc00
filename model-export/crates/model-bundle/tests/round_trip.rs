//! What is written is what is read.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test")]

mod common;

use std::fs;

use common::{Fixture, draft};
use model_bundle::{ArtefactRole, Bundle, BundleDraft, BundleError, MANIFEST_FILE};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use vad_core::{AttentionSpec, EncoderSpec, Grid, Line, LiteSize, ModelSpec};

#[test]
fn a_bundle_reads_back_as_drafted() {
    let fixture = Fixture::new();
    let bundle = Bundle::open(&fixture.dir).unwrap();
    let (draft, manifest) = (draft(), bundle.manifest());
    assert_eq!(manifest.format_version, 1);
    assert_eq!((&manifest.name, manifest.version), (&draft.name, 7));
    assert_eq!(manifest.boards, ["east-2", "north"]);
    assert!(manifest.allows_board("north") && !manifest.allows_board("south"));
    assert_eq!(bundle.model(), &draft.model);
    assert_eq!(bundle.encoder(), draft.encoder);
    assert_eq!(bundle.head(), draft.head);
    assert_eq!(manifest.total_bytes, 106);
}

#[test]
fn the_id_is_the_hash_of_the_manifest_and_changes_with_every_artefact() {
    let fixture = Fixture::new();
    let bundle = Bundle::open(&fixture.dir).unwrap();
    let expected: [u8; 32] = Sha256::digest(fixture.read(MANIFEST_FILE)).into();
    assert_eq!(bundle.id(), expected);
    assert_eq!(bundle.short_id(), expected[..8]);
    let mut other = draft();
    other.head[0] ^= 1;
    let other = model_bundle::write(&fixture.parent().join("other"), other).unwrap();
    assert_ne!(other.id(), bundle.id());
}

#[test]
fn the_same_draft_gives_the_same_bytes() {
    let (a, b) = (Fixture::new(), Fixture::new());
    assert_eq!(a.read(MANIFEST_FILE), b.read(MANIFEST_FILE));
}

#[test]
fn the_verified_buffers_outlive_the_files() {
    let fixture = Fixture::new();
    let bundle = Bundle::open(&fixture.dir).unwrap();
    fs::remove_dir_all(&fixture.dir).unwrap();
    assert_eq!(bundle.head(), draft().head);
}

#[test]
fn an_existing_folder_is_kept_unless_overwriting_a_bundle() {
    let fixture = Fixture::new();
    let mut second = draft();
    second.version = 8;
    let error = model_bundle::write(&fixture.dir, second.clone()).unwrap_err();
    assert!(matches!(error, BundleError::Exists { .. }));
    assert_eq!(Bundle::open(&fixture.dir).unwrap().manifest().version, 7);

    second.overwrite = true;
    model_bundle::write(&fixture.dir, second.clone()).unwrap();
    assert_eq!(Bundle::open(&fixture.dir).unwrap().manifest().version, 8);

    let photos = fixture.parent().join("photos");
    fs::create_dir(&photos).unwrap();
    fs::write(photos.join("cat.jpg"), "").unwrap();
    assert!(model_bundle::write(&photos, second).is_err(), "only a bundle may be replaced");
    assert!(photos.join("cat.jpg").is_file());
    leaves_nothing_behind(&fixture);
}

#[test]
fn a_bad_draft_leaves_nothing_behind() {
    let fixture = Fixture::new();
    let target = fixture.parent().join("new");
    let mut bad = [draft(), draft(), draft(), draft(), draft()];
    bad[0].rollback_index = 8;
    bad[1].boards = vec!["a".to_owned(), "a".to_owned()];
    bad[2].model.clip.stride = 0;
    bad[3].encoder.clear();
    bad[4].model.score.raise_threshold = f32::NAN;
    for draft in bad {
        assert!(model_bundle::write(&target, draft).is_err());
        assert!(!target.exists());
    }
    leaves_nothing_behind(&fixture);
}

fn leaves_nothing_behind(fixture: &Fixture) {
    let names = fs::read_dir(fixture.parent()).unwrap().map(|e| e.unwrap().file_name());
    let hidden: Vec<_> = names.filter(|n| n.to_string_lossy().starts_with('.')).collect();
    assert!(hidden.is_empty(), "{hidden:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_valid_draft_round_trips(
        name in "[a-z0-9_-]{1,64}",
        (version, rollback_index) in (0u64.., 0u64..).prop_map(|(a, b)| (a.max(b), a.min(b))),
        boards in proptest::collection::btree_set("[a-z0-9_-]{1,32}", 0..5),
        (mean, std) in (proptest::array::uniform3(-1e6f32..1e6), proptest::array::uniform3(1e-3f32..1e6)),
        encoder in proptest::collection::vec(any::<u8>(), 1..300),
        head in proptest::collection::vec(any::<u8>(), 1..300),
    ) {
        let temp = tempfile::tempdir().unwrap();
        let mut draft = draft();
        draft.name = name;
        draft.version = version;
        draft.rollback_index = rollback_index;
        draft.boards = boards.into_iter().collect();
        draft.model.preprocess.mean = mean;
        draft.model.preprocess.std = std;
        draft.encoder = encoder;
        draft.head = head;
        let written = model_bundle::write(&temp.path().join("b"), draft.clone()).unwrap();
        let read = Bundle::open(&temp.path().join("b")).unwrap();
        prop_assert_eq!(read.manifest(), written.manifest());
        prop_assert_eq!(read.model(), &draft.model);
        prop_assert_eq!(read.encoder(), &draft.encoder[..]);
        prop_assert_eq!(&read.manifest().boards, &draft.boards);
        prop_assert_eq!((read.manifest().version, read.manifest().rollback_index), (version, rollback_index));
    }
}

/// A draft whose model describes an attention, with its graph.
fn looking_draft() -> BundleDraft {
    let line = Line { first_px: 7.5, step_px: 32.0 };
    let grid = Grid { rows: line, columns: line };
    let mut model = ModelSpec::mist("gate-3", EncoderSpec::lite(LiteSize::Small));
    model.attention = Some(AttentionSpec { stage: 3, rows: 4, columns: 4, grid });
    BundleDraft { model, attention: Some(b"attention graph".to_vec()), ..draft() }
}

#[test]
fn an_attention_travels_where_the_model_describes_one_and_only_there() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("looking");
    model_bundle::write(&dir, looking_draft()).unwrap();
    let bundle = Bundle::open(&dir).unwrap();
    assert_eq!(bundle.attention(), Some(&b"attention graph"[..]));
    assert_eq!(bundle.model(), &looking_draft().model);
    let artefact = bundle.manifest().artefact(ArtefactRole::Attention).unwrap();
    assert_eq!((artefact.path.as_str(), artefact.bytes), ("attention.onnx", 15));
    assert_eq!(bundle.manifest().total_bytes, 96 + 10 + 15);
    assert_eq!(Bundle::open(&Fixture::new().dir).unwrap().attention(), None);

    let described = BundleDraft { attention: None, ..looking_draft() };
    let carried = BundleDraft { model: draft().model, ..looking_draft() };
    for (odd, expected) in [(described, "then the attention"), (carried, "one encoder, then one head")] {
        let error = model_bundle::write(&folder.path().join("odd"), odd).unwrap_err().to_string();
        assert!(error.contains("artefacts") && error.contains(expected), "{error}");
    }
    let mut bytes = fs::read(dir.join("attention.onnx")).unwrap();
    bytes[3] ^= 1;
    fs::write(dir.join("attention.onnx"), &bytes).unwrap();
    let error = Bundle::open(&dir).unwrap_err().to_string();
    assert!(error.contains("attention.onnx"), "{error}");
    fs::remove_file(dir.join("attention.onnx")).unwrap();
    assert!(Bundle::open(&dir).unwrap_err().to_string().contains("attention.onnx"));
}
