//! A UCF-Crime on disk that is small and made up.

use std::fmt::Write;
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub const WIDTH: usize = 16;
pub const CROPS: usize = 2;

/// Features in which the second half of an abnormal video differs.
pub fn features(rng: &mut ChaCha8Rng, clips: usize, abnormal: bool) -> Vec<f32> {
    let is_odd = |clip: usize| abnormal && clip >= clips / 2;
    let row = |clip: usize| if is_odd(clip) { 3.0 } else { 0.0 };
    (0..clips)
        .flat_map(|clip| std::iter::repeat_n(row(clip), CROPS * WIDTH))
        .map(|base| base + rng.random::<f32>())
        .collect()
}

pub fn npy(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({axes}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

/// A UCF-Crime of 12 training and 6 test videos, with one file per crop.
pub fn write_set(root: &Path) {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (mut train, mut test, mut annotation) = (String::new(), String::new(), String::new());
    std::fs::create_dir_all(root.join("features")).unwrap();
    for index in 0..18 {
        let abnormal = index % 2 == 1;
        let clips = 4 + index % 5;
        let is_test = index >= 12;
        let id = match (abnormal, is_test) {
            (true, _) => format!("Arson{index:03}_x264"),
            (false, true) => format!("Normal_Videos_{index:03}_x264"),
            (false, false) => format!("Normal_Videos{index:03}_x264"),
        };
        if is_test {
            let frames = clips * 16 - 3;
            writeln!(test, "Any/{id}.mp4").unwrap();
            let first = clips / 2 * 16;
            let (range, class) = if abnormal {
                (format!("{first} {}", frames - 1), "Arson")
            } else {
                ("-1 -1".into(), "Normal")
            };
            writeln!(annotation, "{id}.mp4 {class} {range} -1 -1 {frames}").unwrap();
        } else {
            writeln!(train, "Any/{id}.mp4").unwrap();
        }
        let values = features(&mut rng, clips, abnormal);
        for crop in 0..CROPS {
            let of_crop: Vec<f32> =
                values.chunks(WIDTH).skip(crop).step_by(CROPS).flatten().copied().collect();
            let path = root.join(format!("features/{id}__{crop}.npy"));
            std::fs::write(path, npy(&[clips, WIDTH], &of_crop)).unwrap();
        }
    }
    for (name, text) in [
        ("Anomaly_Train.txt", train),
        ("Anomaly_Test.txt", test),
        ("Temporal_Anomaly_Annotation_New.txt", annotation),
    ] {
        std::fs::write(root.join(name), text).unwrap();
    }
}
