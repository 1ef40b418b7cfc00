//! What cameras send.

use vad_h264::Decoder;
use watchpostd::capture::pixels::{Layout, MAX_SIDE_PX, decode};
use watchpostd::capture::y4m::{MAX_PIXELS, Y4m};

/// A picture of a camera that speaks Motion JPEG.
pub fn jpeg(bytes: &[u8]) {
    if let Ok(picture) = decode(bytes, Layout::Jpeg, (640, 480)) {
        assert!(picture.width_px <= MAX_SIDE_PX && picture.height_px <= MAX_SIDE_PX);
        assert_eq!(picture.data.len() as u64, u64::from(picture.width_px) * u64::from(picture.height_px) * 3);
    }
}

/// Access units of a network camera, each behind its length in two bytes.
pub fn h264(bytes: &[u8]) {
    let mut decoder = Decoder::new().unwrap();
    let mut rgb = Vec::new();
    let mut rest = bytes;
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let (unit, tail) = tail.split_at(tail.len().min(usize::from(u16::from_be_bytes(*length))));
        rest = tail;
        if let Ok(Some(picture)) = decoder.decode(unit) {
            let size_px = picture.size_px();
            let frame = picture.to_rgb(&mut rgb).unwrap();
            assert_eq!((frame.width_px(), frame.height_px()), size_px);
        }
    }
}

/// What a pipeline of GStreamer writes.
pub fn y4m(bytes: &[u8]) {
    let mut stream = Y4m::new(bytes);
    while let Ok(Some(((), raw))) = stream.next(|| ()) {
        let (width_px, height_px) = raw.size_px;
        let pixels = u64::from(width_px) * u64::from(height_px);
        assert!((1..=MAX_PIXELS).contains(&pixels) && width_px.max(height_px) <= MAX_SIDE_PX);
        assert_eq!(raw.to_rgb().unwrap().data.len() as u64, pixels * 3);
    }
}
