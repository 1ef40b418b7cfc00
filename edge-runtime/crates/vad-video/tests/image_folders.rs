//! Folders of images as videos.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use image::{Rgb, RgbImage};
use vad_video::{DEFAULT_IMAGE_RATE_HZ, FrameBuf, FrameSource, VideoError};

fn save(path: &Path, width_px: u32, grey: u8) {
    RgbImage::from_pixel(width_px, 8, Rgb([grey; 3])).save(path).unwrap();
}

fn first_bytes(folder: &Path) -> Result<Vec<u8>, VideoError> {
    let mut source = FrameSource::open(folder)?;
    let mut buf = FrameBuf::new();
    let mut seen = Vec::new();
    while source.next_frame(&mut buf)? {
        seen.push(buf.data()[0]);
    }
    Ok(seen)
}

#[test]
fn images_come_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    for (name, grey) in [("f10.png", 10), ("f2.png", 2), ("f1.PNG", 1), ("f11.png", 11)] {
        save(&folder.path().join(name), 10, grey);
    }
    std::fs::write(folder.path().join("notes.txt"), "passed over").unwrap();
    std::fs::write(folder.path().join(".hidden.png"), "passed over").unwrap();
    assert_eq!(first_bytes(folder.path()).unwrap(), [1, 2, 10, 11]);
    let source = FrameSource::open(folder.path()).unwrap();
    assert_eq!(
        (source.info().width_px, source.info().height_px, source.info().frames_hint),
        (10, 8, Some(4))
    );
    assert!((source.info().frame_rate_hz - DEFAULT_IMAGE_RATE_HZ).abs() < f64::EPSILON);
    let faster = FrameSource::open_with_image_rate(folder.path(), 25.0).unwrap();
    assert!((faster.info().frame_rate_hz - 25.0).abs() < f64::EPSILON);
    assert!(FrameSource::open_with_image_rate(folder.path(), f64::NAN).is_err());
}

#[test]
fn grey_and_transparent_images_become_rgb() {
    let folder = tempfile::tempdir().unwrap();
    image::GrayImage::from_pixel(4, 4, image::Luma([7])).save(folder.path().join("1.png")).unwrap();
    image::RgbaImage::from_pixel(4, 4, image::Rgba([8, 8, 8, 100]))
        .save(folder.path().join("2.png"))
        .unwrap();
    image::ImageBuffer::<image::Luma<u16>, _>::from_pixel(4, 4, image::Luma([9 * 257]))
        .save(folder.path().join("3.png"))
        .unwrap();
    assert_eq!(first_bytes(folder.path()).unwrap(), [7, 8, 9]);
}

#[test]
fn mixed_sizes_name_the_file_and_the_frame() {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("1.png"), 10, 0);
    save(&folder.path().join("2.jpg"), 10, 0);
    save(&folder.path().join("3.png"), 12, 0);
    let error = first_bytes(folder.path()).unwrap_err();
    assert!(
        matches!(error, VideoError::SizeChanged { frame: 2, width_px: 12, first_width_px: 10, .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("3.png"), "{error}");
}

#[test]
fn an_empty_folder_has_no_frames() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("readme.md"), "no images").unwrap();
    assert!(matches!(first_bytes(folder.path()), Err(VideoError::NoFrames { .. })));
}

#[test]
fn damaged_images_are_named() {
    for name in ["2.png", "2.jpg"] {
        let folder = tempfile::tempdir().unwrap();
        save(&folder.path().join("1.png"), 64, 1);
        let path = folder.path().join(name);
        save(&path, 64, 2);
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 10, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            // A png without its last checksum byte still has all its pixels; decoders may accept it.
            if name == "2.png" && length == bytes.len() - 1 {
                continue;
            }
            let error = first_bytes(folder.path()).unwrap_err();
            assert!(matches!(error, VideoError::Image { frame: 1, .. }), "{name} cut to {length}: {error:?}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

#[test]
fn unread_formats_are_refused_instead_of_skipped() {
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("1.png"), 10, 1);
    std::fs::write(folder.path().join("2.webp"), "RIFF").unwrap();
    let error = first_bytes(folder.path()).unwrap_err();
    assert!(error.to_string().contains("2.webp") && error.to_string().contains("png"), "{error}");
}

#[test]
#[cfg(feature = "tiff")]
fn tiff_pictures_are_frames_where_the_feature_is_on() {
    let folder = tempfile::tempdir().unwrap();
    for (name, grey) in [("001.tif", 10), ("002.TIF", 200)] {
        image::GrayImage::from_pixel(4, 2, image::Luma([grey]))
            .save_with_format(folder.path().join(name), image::ImageFormat::Tiff)
            .unwrap();
    }
    assert_eq!(first_bytes(folder.path()).unwrap(), [10, 200]);
    std::fs::write(folder.path().join("002.TIF"), "II*").unwrap();
    assert!(first_bytes(folder.path()).unwrap_err().to_string().contains("002.TIF"));
}
