//! Encoded samples, read back by openh264's decoder.
#![allow(clippy::unwrap_used, reason = "test")]

use openh264::decoder::Decoder;
use openh264::formats::YUVSource;
use vad_core::RgbFrame;
use vad_h264::{Encoder, EncoderSpec, H264Error, ParameterSets, Sample};

const SPEC: EncoderSpec = EncoderSpec { frame_rate_hz: 10.0, key_interval_frames: 5 };

/// A bright square that moves over a gradient.
fn picture((width, height): (u32, u32), at: u32) -> Vec<u8> {
    let pixel = |x: u32, y: u32| {
        let inside = (at..at + 12).contains(&x) && (10..22).contains(&y);
        if inside { [230, 200, 40] } else { [(x * 2) as u8 / 2 + 20, (y * 2) as u8 / 2 + 30, 90] }
    };
    (0..height).flat_map(|y| (0..width).flat_map(move |x| pixel(x, y))).collect()
}

fn annex_b(sets: &ParameterSets, sample: &Sample) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut unit = |bytes: &[u8]| {
        stream.extend_from_slice(&[0, 0, 0, 1]);
        stream.extend_from_slice(bytes);
    };
    if sample.is_key {
        unit(&sets.sps);
        unit(&sets.pps);
    }
    let mut rest = sample.data.as_slice();
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let (nal, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
        unit(nal);
        rest = tail;
    }
    stream
}

#[test]
fn what_is_encoded_looks_the_same_when_it_is_decoded() {
    for size in [(64, 48), (65, 49), (320, 240)] {
        let mut encoder = Encoder::new(size, SPEC).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let (width, height) = encoder.size_px();
        let mut keys = Vec::new();
        for at in 0..12 {
            let rgb = picture(size, at);
            let sample = encoder.encode(RgbFrame::new(size.0, size.1, &rgb).unwrap()).unwrap().unwrap();
            keys.push(sample.is_key);
            let stream = annex_b(encoder.parameter_sets().unwrap(), &sample);
            let decoded = decoder.decode(&stream).unwrap().unwrap();
            assert_eq!(decoded.dimensions(), (width as usize, height as usize));
            let mut seen = vec![0; (width * height * 3) as usize];
            decoded.write_rgb8(&mut seen);
            let rows = rgb.chunks_exact(size.0 as usize * 3).flat_map(|row| &row[..width as usize * 3]);
            let off: u32 = rows.zip(&seen).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            let mean = f64::from(off) / f64::from(width * height * 3);
            assert!(mean < 6.0, "{size:?}: {mean} of 255 off");
        }
        let expected: Vec<bool> = (0..12).map(|frame| frame % 5 == 0).collect();
        assert_eq!(keys, expected, "a key frame every five");
    }
}

#[test]
fn sizes_that_the_codec_cannot_take_are_refused_before_it_is_asked() {
    for size in [(0, 0), (8, 480), (640, 15), (3_842, 100), (2_600, 2_400), (u32::MAX, u32::MAX)] {
        assert!(matches!(Encoder::new(size, SPEC), Err(H264Error::Size { .. })), "{size:?}");
    }
    assert!(Encoder::new((2_160, 3_840), SPEC).is_ok(), "upright");
}

#[test]
fn a_frame_of_another_size_is_refused() {
    let mut encoder = Encoder::new((64, 48), SPEC).unwrap();
    let rgb = picture((48, 64), 0);
    let refused = encoder.encode(RgbFrame::new(48, 64, &rgb).unwrap()).unwrap_err();
    assert!(refused.to_string().contains("48x64"), "{refused}");
}

#[test]
fn noise_takes_no_more_bytes_than_its_share() {
    let size = (320, 240);
    let mut encoder = Encoder::new(size, SPEC).unwrap();
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let (mut bytes, frames) = (0, 100);
    for _ in 0..frames {
        let rgb: Vec<u8> = (0..size.0 * size.1 * 3).map(|_| noise()).collect();
        let sample = encoder.encode(RgbFrame::new(size.0, size.1, &rgb).unwrap()).unwrap();
        bytes += sample.map_or(0, |sample| sample.data.len());
    }
    // The first key frame comes before anything is known of the pictures.
    let most = (size.0 * size.1) as usize * frames / 8 / 2;
    assert!(bytes > 0 && bytes < most, "{bytes} bytes, at most {most}");
}
