//! Writes the first inputs of every corpus, by the programs that write them in the field: `cargo run -p fuzz-tests --bin seeds`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a tool of developers")]

use std::path::Path;

use alarm_proto::{BoardId, CameraId};
use anyhow::Result;
use fuzz_tests::commands::signed;
use fuzz_tests::files::drill;
use fuzz_tests::models::head_spec;
use model_bundle::BundleDraft;
use model_export::onnx::GraphBuilder;
use vad_core::RgbFrame;
use vad_h264::{Encoder, EncoderSpec};
use vad_threshold::ThresholdChoice;
use watchpostd::calibration::Calibration;
use watchpostd::outbox::{Outbox, RecordStore};
use watchpostd::tuned::{Choice, MadeFor, Measured, Processor, TuningRecord};

const WIRE_PAGE: &str = include_str!("../../../../docs/reference/wire.md");

const CONFIG: &str = r#"
[board]
id = "gate-1"
site = "yard"
time_zone = "Europe/Berlin"
armed = "nights"
[model]
bundle = "bundle"
[network]
broker = "mqtt://hub.local:1883"
window = 64
[evidence]
pre_roll_ms = 8000
[score]
raise_threshold = 0.7
[[output]]
name = "siren"
kind = "gpio"
chip = "/dev/gpiochip0"
line = 17
mode = "pulse"
pulse_ms = 2000
[[input]]
chip = "gpiochip0"
line = "BUTTON"
does = "acknowledge"
[[schedule]]
name = "nights"
days = ["mon", "fri"]
from = "22:00"
until = "06:00"
[[camera]]
id = "north"
tolerate = ["dark"]
source = { kind = "v4l", device = "/dev/video0", frame_rate_hz = 10.0, controls = { brightness = 3 } }
[[camera.mask]]
name = "road"
points = [[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]
[[camera]]
id = "east"
source = { kind = "rtsp", url = "rtsp://camera.local:554/stream1" }
[[camera]]
id = "west"
source = { kind = "gst", pipeline = "nvarguscamerasrc ! 'video/x-raw(memory:NVMM),width=1280' ! nvvidconv" }
"#;

const SIGNED_BODY: &[u8] =
    br#"{"board":"yard/gate-1","counter":17,"valid_until_ms":1,"command":"threshold","value":0.5}"#;

fn main() -> Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let write = |target: &str, name: &str, bytes: &[u8]| -> Result<()> {
        let folder = corpus.join(target);
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join(name), bytes)?)
    };
    for (name, frame) in frames_of_the_wire_page() {
        write("alarm-frame", &name, &frame)?;
    }
    write("topic", "alarm", b"watchpost/yard/gate-1/alarm/bin")?;
    let alarm = frames_of_the_wire_page().remove(0).1;
    write("hub-message", "alarm", &[b"watchpost/yard/gate-1/alarm/bin\n", &alarm[..]].concat())?;
    write("broker-url", "six", b"mqtts://[::1]:8884")?;
    write("command", "snooze", br#"{"id":"a1","command":"snooze","camera":"north","for_s":600}"#)?;
    write("command-with-key", "threshold", SIGNED_BODY)?;
    write("command-with-key", "code", &signed(SIGNED_BODY))?;
    write("command-counter", "sixteen", b"16\n")?;
    write("tuning", "default", &tuning()?)?;
    let own = rcgen::generate_simple_self_signed(["hub.local".to_owned()])?;
    // Without its key, which no tree should hold.
    write("certificates", "own", own.cert.pem().as_bytes())?;
    write("config", "every-section", CONFIG.as_bytes())?;
    write("event-name", "first", b"7-00001234-42")?;
    write("calibration", "one-camera", &calibration()?)?;
    write("outbox", "three-alarms", &outbox()?)?;
    write("jpeg", "gradient", &jpeg()?)?;
    write("h264", "three-pictures", &h264()?)?;
    write("y4m", "two-sizes", &y4m())?;
    let head = head();
    write("onnx-head", "one-layer", &head)?;
    write("onnx-encoder", "another-graph", &head)?;
    // `sheet/event` is of the demo.
    write("manifest", "bundle", &manifest(head)?)
}

/// Byte examples are blocks ```` ```hex,NAME ````; what follows `#` is no part of them.
fn frames_of_the_wire_page() -> Vec<(String, Vec<u8>)> {
    let blocks = WIRE_PAGE.split("```hex,").skip(1);
    let frame = |block: &str| {
        let (name, rest) = block.split_once('\n').unwrap();
        let hex = rest.split("```").next().unwrap().lines().map(|line| line.split('#').next().unwrap());
        let bytes = hex.flat_map(str::split_whitespace).map(|byte| u8::from_str_radix(byte, 16).unwrap());
        (name.to_owned(), bytes.collect())
    };
    blocks.map(frame).collect()
}

fn calibration() -> Result<Vec<u8>> {
    let choice = ThresholdChoice {
        raise_threshold: 0.7,
        clear_threshold: 0.6,
        goal_per_camera_day: 1.0,
        false_alarms: 1,
        normal_camera_days: 1.5,
        upper95_per_camera_day: 3.2,
    };
    let mut calibration = Calibration::default();
    calibration.set(&CameraId::try_from("north").unwrap(), "0011223344556677", choice);
    let file = tempfile::NamedTempFile::new()?;
    calibration.write(file.path())?;
    Ok(std::fs::read(file.path())?)
}

fn tuning() -> Result<Vec<u8>> {
    let choice = Choice {
        made_for: MadeFor {
            encoder_sha256: "00".repeat(32),
            processor: Processor::here(),
            watchpostd: "0.1.0".to_owned(),
        },
        tuning: TuningRecord { kernels: "tract".to_owned(), pulse: 4, lazy_im2col_min_taps: Some(9) },
        measured: Measured { ms_per_frame: 20.5, default_ms_per_frame: 41.0 },
    };
    let file = tempfile::NamedTempFile::new()?;
    choice.write(file.path())?;
    Ok(std::fs::read(file.path())?)
}

fn outbox() -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("outbox.db");
    let board = BoardId::try_from("gate-1").unwrap();
    let (mut outbox, _) = Outbox::open(&path, &board, 1 << 20)?;
    for _ in 0..3 {
        outbox.raise(&mut drill)?;
    }
    // The last one to leave writes everything into one file.
    drop(outbox);
    Ok(std::fs::read(path)?)
}

fn gradient(shift: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| [(x * 7 + shift) as u8, (y * 9) as u8, 80];
    (0..32).flat_map(|y| (0..32).flat_map(move |x| pixel(x, y))).collect()
}

fn jpeg() -> Result<Vec<u8>> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbImage::from_raw(32, 32, gradient(0)).unwrap();
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg)?;
    Ok(bytes.into_inner())
}

/// As `y4menc` writes it: three pictures, and then two of another size.
fn y4m() -> Vec<u8> {
    let stream = |width: usize, height: usize, pictures: usize| {
        let picture = [b"FRAME\n".to_vec(), vec![128; width * height * 3 / 2]].concat();
        [format!("YUV4MPEG2 C420 W{width} H{height} Ip F10:1 A1:1\n").into_bytes(), picture.repeat(pictures)]
            .concat()
    };
    [stream(16, 8, 3), stream(8, 2, 2)].concat()
}

/// Access units in the byte stream format, each behind its length.
fn h264() -> Result<Vec<u8>> {
    let mut encoder = Encoder::new((32, 32), EncoderSpec { frame_rate_hz: 10.0, key_interval_frames: 2 })?;
    let mut stream = Vec::new();
    for shift in 0..3 {
        let Some(sample) = encoder.encode(RgbFrame::new(32, 32, &gradient(shift * 3))?)? else { continue };
        let mut unit = Vec::new();
        let sets = encoder.parameter_sets().filter(|_| sample.is_key);
        let sets = sets.into_iter().flat_map(|sets| [&sets.sps, &sets.pps]).cloned();
        for nal in sets.chain(units(&sample.data)) {
            unit.extend_from_slice(&[0, 0, 0, 1]);
            unit.extend(nal);
        }
        stream.extend_from_slice(&u16::try_from(unit.len())?.to_be_bytes());
        stream.extend(unit);
    }
    Ok(stream)
}

fn units(mut sample: &[u8]) -> Vec<Vec<u8>> {
    let mut units = Vec::new();
    while let Some((length, tail)) = sample.split_first_chunk::<4>() {
        let (unit, rest) = tail.split_at(u32::from_be_bytes(*length) as usize);
        units.push(unit.to_vec());
        sample = rest;
    }
    units
}

fn head() -> Vec<u8> {
    let inputs = head_spec().encoder.feature_dim as usize;
    let mut graph = GraphBuilder::new("head");
    let feature = graph.input("feature", &[1, inputs]);
    let weight = graph.floats("weight".to_owned(), &[inputs, 1], &vec![0.01; inputs]);
    let bias = graph.floats("bias".to_owned(), &[1], &[0.0]);
    let logit = graph.node("Gemm", "logit".to_owned(), &[&feature, &weight, &bias], Vec::new());
    let score = graph.node("Sigmoid", "score".to_owned(), &[&logit], Vec::new());
    graph.output(&score, &[1, 1]);
    graph.into_bytes()
}

fn manifest(graph: Vec<u8>) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let dir = folder.path().join("bundle");
    let draft = BundleDraft {
        name: "fuzz".to_owned(),
        version: 1,
        rollback_index: 0,
        boards: vec!["rpi4".to_owned()],
        model: head_spec(),
        encoder: graph.clone(),
        head: graph,
        attention: None,
        overwrite: false,
    };
    model_bundle::write(&dir, draft)?;
    Ok(std::fs::read(dir.join("manifest.json"))?)
}
