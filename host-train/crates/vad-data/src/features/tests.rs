use proptest::prelude::*;

use super::*;

fn facts() -> Vec<(String, String)> {
    vec![("encoder".to_owned(), "ab\"sha256\":\"cd".to_owned()), ("file".to_owned(), "ef".to_owned())]
}

fn sample(clips: u64, crops: usize, dim: usize) -> Features {
    let span = |index| ClipSpan { index, first_frame: FrameIndex(index * 16), frames: 16 };
    let values = (0..clips as usize * crops * dim).map(|index| index as f32 * 0.37 - 1.0).collect();
    Features {
        dim,
        crops,
        spans: (0..clips).map(span).collect(),
        values,
        frames: clips * 16,
        frame_rate_hz: 30_000.0 / 1001.0,
    }
}

#[test]
fn every_flipped_byte_is_noticed() {
    let bytes = sample(3, 2, 5).to_bytes(&facts()).unwrap();
    assert_eq!(Features::from_bytes(bytes.clone(), &facts()).unwrap(), sample(3, 2, 5));
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0x80, 0xFF, 0x29] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            assert!(Features::from_bytes(damaged, &facts()).is_err(), "byte {at} ^ {flip:#x}");
        }
    }
}

#[test]
fn every_truncation_and_any_longer_file_is_noticed() {
    let bytes = sample(3, 2, 5).to_bytes(&facts()).unwrap();
    for length in 0..bytes.len() {
        assert!(Features::from_bytes(bytes[..length].to_vec(), &facts()).is_err(), "cut to {length}");
    }
    assert!(Features::from_bytes([bytes, vec![0]].concat(), &facts()).is_err());
}

#[test]
fn other_facts_are_refused() {
    let bytes = sample(1, 1, 2).to_bytes(&facts()).unwrap();
    let mut other = facts();
    other[1].1.push('0');
    assert!(Features::from_bytes(bytes, &other).unwrap_err().contains("`file`"));
}

#[test]
fn inconsistent_features_are_not_written() {
    let mut broken = [sample(2, 1, 3), sample(2, 1, 3), sample(2, 1, 3), sample(2, 1, 3)];
    broken[0].values.pop();
    broken[1].values[0] = f32::NAN;
    broken[2].frames = 31;
    broken[3].frame_rate_hz = 0.0;
    for features in broken {
        assert!(features.to_bytes(&[]).is_err(), "{features:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_bit_for_bit(values in prop::collection::vec(-1e30_f32..1e30, 1..40), rate_hz in 0.1_f64..240.0) {
        let spans = (0..values.len() as u64).map(|index| ClipSpan { index, first_frame: FrameIndex(index * 4), frames: 4 }).collect();
        let features = Features { dim: 1, crops: 1, frames: values.len() as u64 * 4, spans, values, frame_rate_hz: rate_hz };
        let read = Features::from_bytes(features.to_bytes(&facts()).unwrap(), &facts()).unwrap();
        prop_assert_eq!(read, features);
    }
}
