//! A few tiny videos, and what one undisturbed run makes of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::machine::Machine;

/// Videos of one clip each.
pub const VIDEOS: usize = 6;

/// The videos with their label file.
pub fn footage() -> &'static Path {
    static FOOTAGE: OnceLock<TempDir> = OnceLock::new();
    FOOTAGE
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let mut labels = "video,label\n".to_owned();
            for video in 0..VIDEOS {
                make(&folder.path().join(format!("v{video}.mp4")), video);
                labels += &format!("v{video},{}\n", if video % 2 == 0 { "normal" } else { "abnormal" });
            }
            std::fs::write(folder.path().join("labels.csv"), labels).unwrap();
            folder
        })
        .path()
}

fn make(path: &Path, number: usize) {
    let picture = format!("testsrc2=size=64x48:rate=10,hue=h={}", number * 50);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &picture, "-frames:v", "16"])
        .args(["-c:v", "libx264", "-pix_fmt", "yuv420p", "-threads", "1"])
        .arg(path)
        .status()
        .expect("ffmpeg is installed by `cargo xtask test`");
    assert!(status.success());
}

/// The encoder's weights; without them there is nothing to test.
pub fn weights() -> Option<PathBuf> {
    golden::kinetics_i3d()
}

/// Every file of features of an undisturbed run on one machine, by name.
pub fn undisturbed() -> Option<BTreeMap<String, Vec<u8>>> {
    static FILES: OnceLock<Option<BTreeMap<String, Vec<u8>>>> = OnceLock::new();
    FILES
        .get_or_init(|| {
            weights()?;
            let machine = Machine::new();
            machine.extract(&[]).run().expect_success();
            let files = crate::entries(&machine.features());
            assert_eq!(files.len(), VIDEOS);
            Some(files)
        })
        .clone()
}
