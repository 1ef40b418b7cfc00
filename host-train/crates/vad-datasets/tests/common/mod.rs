//! Trees as users have them, made up.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vad_datasets::{Dataset, ImportError, Imported, Request, import};

/// A folder with files in it.
pub struct Made {
    root: TempDir,
}

impl Made {
    pub fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn text(&self, name: &str, text: &str) -> &Self {
        self.bytes(name, text.as_bytes())
    }

    pub fn bytes(&self, name: &str, bytes: &[u8]) -> &Self {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// Features whose value at `[clip, crop, column]` is `100 * clip + 10 * crop + column`, with the axes in this order.
    pub fn features(&self, name: &str, shape: &[usize]) -> &Self {
        let values: Vec<f32> = match *shape {
            [clips, width] => grid(clips, 1, width),
            [clips, crops, width] => grid(clips, crops, width),
            _ => panic!("{shape:?}"),
        };
        self.bytes(name, &npy(shape, &values))
    }

    pub fn mask(&self, name: &str, labels: &[u8]) -> &Self {
        self.bytes(name, &header("|u1", &[labels.len()], labels))
    }

    pub fn request(&self, dataset: Dataset, features: &[&str]) -> Request {
        Request {
            dataset,
            root: self.path().to_owned(),
            features: features.iter().map(|name| self.path().join(name)).collect(),
            axes: None,
            frames: None,
            ground_truth: None,
            frame_rate_hz: None,
            keep_going: false,
        }
    }

    pub fn import(&self, dataset: Dataset, features: &[&str]) -> Result<Imported, ImportError> {
        run(&self.request(dataset, features))
    }

    pub fn error(&self, dataset: Dataset, features: &[&str]) -> String {
        self.import(dataset, features).unwrap_err().to_string()
    }
}

pub fn run(request: &Request) -> Result<Imported, ImportError> {
    import(request, &mut |_, _| {})
}

pub fn grid(clips: usize, crops: usize, width: usize) -> Vec<f32> {
    let value = |clip, crop, column| (100 * clip + 10 * crop + column) as f32;
    (0..clips)
        .flat_map(|clip| {
            (0..crops).flat_map(move |crop| (0..width).map(move |column| value(clip, crop, column)))
        })
        .collect()
}

/// A `.npy` file of 32-bit floats.
pub fn npy(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    header("<f4", shape, &bytes)
}

/// A `.npy` file of half floats that are all 0.
pub fn half_zeros(shape: &[usize]) -> Vec<u8> {
    header("<f2", shape, &vec![0; 2 * shape.iter().product::<usize>()])
}

fn header(kind: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let axes: String = shape.iter().map(|axis| format!("{axis}, ")).collect();
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({axes}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

/// A small UCF-Crime: two training videos of each label, one test video of each, features in `train` and `test`.
pub fn small_ucf() -> Made {
    let made = Made::new();
    made.text(
        "lists/Anomaly_Train.txt",
        "Abuse/Abuse001_x264.mp4\nArson/Arson003_x264.mp4\nTraining_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4\n\
         Training_Normal_Videos_Anomaly/Normal_Videos003_x264.mp4\n",
    );
    made.text(
        "lists/ucf-i3d-test.list",
        "/home/somebody/Abuse028_x264_i3d.npy\r\n/home/somebody/Normal_Videos_003_x264_i3d.npy\r\n",
    );
    made.text(
        "lists/Temporal_Anomaly_Annotation_New.txt",
        "Abuse028_x264.mp4\tAbuse\t20\t39\t-1\t-1\t41\nNormal_Videos_003_x264.mp4\tNormal\t-1\t-1\t-1\t-1\t32\n",
    );
    for (name, clips) in [
        ("train/Abuse001_x264_i3d.npy", 4),
        ("train/Arson003_x264_i3d.npy", 1),
        ("train/Normal_Videos001_x264_i3d.npy", 3),
        ("train/Normal_Videos003_x264_i3d.npy", 10),
        ("test/Abuse028_x264_i3d.npy", 3),
        ("test/Normal_Videos_003_x264_i3d.npy", 2),
    ] {
        made.features(name, &[clips, 10, 8]);
    }
    made
}

/// Where a fixture of HDF5 lies.
pub fn h5(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}
