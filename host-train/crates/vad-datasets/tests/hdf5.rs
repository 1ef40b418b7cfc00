//! Files that h5py wrote (`data/make_h5.py`).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a broken set-up must stop the test")]

mod common;

use std::path::PathBuf;

use common::{Made, h5};
use vad_datasets::Dataset;
use vad_datasets::arrays::H5File;

fn features_h5() -> PathBuf {
    h5("features.h5")
}

fn values() -> Vec<f32> {
    (0..20).map(|index| index as f32 / 8.0 - 1.0).collect()
}

#[test]
fn every_kind_of_storage_gives_the_same_values() {
    let file = H5File::open(&features_h5()).unwrap();
    let (arrays, others) = file.arrays().unwrap();
    assert_eq!(others, ["01_009-000000"]);
    let names: Vec<&str> = arrays.iter().map(|array| array.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "01_0014.npy",
            "01_0016",
            "01_002.npy",
            "01_0026.npy",
            "01_003.npy",
            "01_007.npy",
            "01_011.npy",
            "nested/01_005.npy"
        ]
    );
    for array in arrays.iter().filter(|array| array.name != "01_011.npy") {
        assert_eq!(array.shape, [5, 4], "{}", array.name);
        assert_eq!(file.read(&array.name).unwrap().values, values(), "{}", array.name);
    }
    let error = file.read("01_011.npy").unwrap_err().to_string();
    assert!(error.contains("features.h5 [01_011.npy]") && error.contains("gzip"), "{error}");
    let error = file.read("nobody").unwrap_err().to_string();
    assert!(error.contains("[nobody]"), "{error}");
}

#[test]
fn one_data_set_per_video_is_imported_as_mist_keeps_them() {
    let made = Made::new();
    made.text("SH_Train_new.txt", "01_0014,1\n01_0016,1\n01_002,0\n01_003,0\n");
    made.text("SH_Test_NEW.txt", "01_0026,1,-1\n01_005,0,75\n");
    made.mask("test_frame_mask/01_0026.npy", &[[0; 20].as_slice(), &[1; 57]].concat());
    let mut request = made.request(Dataset::ShanghaiTech, &[]);
    request.features = vec![features_h5()];
    let done = common::run(&request).unwrap();
    let features = done.import.load("01_005").unwrap();
    assert_eq!((features.crops, features.dim, features.values), (1, 4, values()));
    // 75 frames, from the list: the last of five clips shows 11.
    assert_eq!(features.spans.last().unwrap().frames, 11);
    let left = done.summary.warnings().iter().find(|text| text.contains("no list names")).unwrap();
    assert!(left.contains("2 (`01_007`, `01_011`)"), "{left}");
}

#[test]
fn ten_crops_in_either_order_are_those_of_npy_files() {
    let made = Made::new();
    made.text("SH_Train_new.txt", "01_0014,1\n01_002,0\n").text("SH_Test_NEW.txt", "01_005,0,192\n");
    let videos = [("01_0014", 7), ("01_002", 3), ("01_005", 12)];
    for (id, clips) in videos {
        made.features(&format!("npy/{id}.npy"), &[clips, 10, 4]);
    }
    let want = made.import(Dataset::ShanghaiTech, &["npy"]).unwrap().import;
    for name in ["clips_crops.h5", "crops_clips.h5"] {
        let mut request = made.request(Dataset::ShanghaiTech, &[]);
        request.features = vec![h5(name)];
        let got = common::run(&request).unwrap().import;
        for (id, _) in videos {
            let features = got.load(id).unwrap();
            assert_eq!((features.crops, features.dim), (10, 4), "{name}: {id}");
            assert_eq!(features, want.load(id).unwrap(), "{name}: {id}");
        }
    }
}

#[test]
fn pictures_are_not_features() {
    let made = Made::new();
    made.text("SH_Train_new.txt", "02_0014,1\n02_002,0\n").text("SH_Test_NEW.txt", "02_0026,1,-1\n");
    let mut request = made.request(Dataset::ShanghaiTech, &[]);
    request.features = vec![features_h5()];
    let error = common::run(&request).unwrap_err().to_string();
    assert!(error.contains("01_009-000000") && error.contains("pictures"), "{error}");
}

#[test]
fn damage_is_an_error_and_never_a_crash() {
    let whole = std::fs::read(features_h5()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.h5");
    // A small generator is enough: places and bytes shall differ, and be the same in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for round in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..1 + next() % 6 {
            let at = next() % bytes.len();
            bytes[at] = next() as u8;
        }
        if round % 4 == 0 {
            bytes.truncate(next() % bytes.len());
        }
        std::fs::write(&path, &bytes).unwrap();
        let Ok(file) = H5File::open(&path) else { continue };
        let Ok((arrays, _)) = file.arrays() else { continue };
        for array in arrays {
            if let Ok(read) = file.read(&array.name) {
                assert_eq!(read.values.len(), read.shape.iter().product::<usize>());
            }
        }
    }
}
