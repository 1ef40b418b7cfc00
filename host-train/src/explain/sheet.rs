//! A sheet of pictures: for each clip its frame, the attention and Grad-CAM side by side, with scales and captions.

use std::path::Path;

use heat_map::{BAR_PX, HeatMap, LETTER_PX, Scale, draw_scale, fitted};
use image::imageops::{FilterType as Resampling, replace, resize};
use image::{Rgb, RgbImage};

use super::{Explanation, Layer};
use crate::atomic_file::{self, WriteError};

const PAPER: Rgb<u8> = Rgb([255; 3]);
const INK: Rgb<u8> = Rgb([30; 3]);

/// Space around and between pictures.
const MARGIN_PX: u32 = 8;

/// From this width on a picture has captions of double size.
const LARGE_PX: u32 = 300;

/// One line of pictures.
#[derive(Clone, Debug)]
pub struct Row {
    /// What stands above.
    pub caption: String,
    /// The frame that is shown.
    pub frame: RgbImage,
    /// What was made of its clip.
    pub explanation: Explanation,
}

/// A sheet.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What stands at the top.
    pub title: String,
    /// The pictures.
    pub rows: Vec<Row>,
    /// Where Grad-CAM was taken.
    pub layer: Layer,
    /// Size of the encoder's pictures.
    pub input_px: [u16; 2],
    /// Width of each picture; its height follows that of the frames.
    pub picture_px: u32,
}

impl Sheet {
    /// Draws the sheet. All rows share two scales: of attention from its lowest to its highest value, of Grad-CAM from 0.
    pub fn draw(&self) -> RgbImage {
        let letters = if self.picture_px >= LARGE_PX { 2 } else { 1 };
        let line = (LETTER_PX + 4) * letters;
        let heights: Vec<u32> = self.rows.iter().map(|row| self.height_of(&row.frame)).collect();
        let width = MARGIN_PX + 3 * (self.picture_px + MARGIN_PX);
        let pictures: u32 = heights.iter().map(|height| line + height + MARGIN_PX).sum();
        let mut sheet =
            RgbImage::from_pixel(width, 2 * MARGIN_PX + 2 * line + pictures + BAR_PX + line, PAPER);
        let scales = [
            Scale::of(self.rows.iter().map(|row| &row.explanation.attention), None),
            Scale::of(self.rows.iter().map(|row| &row.explanation.cam), Some(0.0)),
        ];
        let room = width - 2 * MARGIN_PX;
        let mut y = MARGIN_PX;
        write(&mut sheet, [MARGIN_PX, y], &fitted(&self.title, room, letters), letters);
        y += line;
        let cam = match self.layer {
            Layer::Block4 => "Grad-CAM, block 4",
            Layer::Block5 => "Grad-CAM, block 5",
        };
        for (column, heading) in ["frame", "attention", cam].into_iter().enumerate() {
            write(&mut sheet, [self.left(column), y], &fitted(heading, self.picture_px, letters), letters);
        }
        y += line;
        for (row, height) in self.rows.iter().zip(heights) {
            write(&mut sheet, [MARGIN_PX, y], &fitted(&row.caption, room, letters), letters);
            y += line;
            self.draw_row(&mut sheet, row, [y, height], scales);
            y += height + MARGIN_PX;
        }
        for (column, scale) in [(1, scales[0]), (2, scales[1])] {
            draw_scale(&mut sheet, [self.left(column), y], self.picture_px, scale, INK, letters);
        }
        sheet
    }

    fn draw_row(&self, sheet: &mut RgbImage, row: &Row, [y, height]: [u32; 2], scales: [Scale; 2]) {
        let frame = resize(&row.frame, self.picture_px, height, Resampling::Triangle);
        replace(sheet, &frame, self.left(0).into(), y.into());
        let maps: [&HeatMap; 2] = [&row.explanation.attention, &row.explanation.cam];
        for (column, (map, scale)) in maps.into_iter().zip(scales).enumerate() {
            let mut picture = frame.clone();
            map.overlay(&mut picture, self.input_px, scale);
            replace(sheet, &picture, self.left(column + 1).into(), y.into());
        }
    }

    fn left(&self, column: usize) -> u32 {
        MARGIN_PX + column as u32 * (self.picture_px + MARGIN_PX)
    }

    fn height_of(&self, frame: &RgbImage) -> u32 {
        let (width, height) = frame.dimensions();
        (u64::from(self.picture_px) * u64::from(height) / u64::from(width.max(1))).max(1) as u32
    }
}

fn write(sheet: &mut RgbImage, at: [u32; 2], text: &str, letters: u32) {
    heat_map::write(sheet, at, text, INK, letters);
}

/// Writes a picture as PNG.
///
/// # Errors
/// When the file cannot be written; an older one is intact then.
pub fn write_png(path: &Path, picture: &RgbImage) -> Result<(), WriteError> {
    atomic_file::write_with(path, |file| heat_map::write_png(file, picture))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::grid::{Grid, Line};

    fn map(values: [f32; 4]) -> HeatMap {
        let line = Line { first_px: 8.0, step_px: 16.0 };
        HeatMap::new(2, values.to_vec(), Grid { rows: line, columns: line })
    }

    fn sheet() -> Sheet {
        let explanation =
            Explanation { score: 0.75, attention: map([0.4, 0.4, 0.4, 0.6]), cam: map([0.0, 2.0, 0.0, 0.0]) };
        let frame = RgbImage::from_pixel(64, 48, Rgb([120; 3]));
        let row = Row { caption: "clip 3".to_owned(), frame, explanation };
        Sheet {
            title: "video".to_owned(),
            rows: vec![row.clone(), row],
            layer: Layer::Block5,
            input_px: [32, 32],
            picture_px: 96,
        }
    }

    #[test]
    fn each_row_shows_the_frame_and_both_maps_at_their_places() {
        let picture = sheet().draw();
        let line = LETTER_PX + 4;
        let top = MARGIN_PX + 3 * line;
        let at = |column: u32, x: u32, y: u32| {
            *picture.get_pixel(MARGIN_PX + column * (96 + MARGIN_PX) + x, top + y)
        };
        assert_eq!(at(0, 90, 66), Rgb([120; 3]));
        assert_eq!((at(1, 5, 5), at(2, 5, 66)), (Rgb([120; 3]), Rgb([120; 3])));
        let (attention, cam) = (at(1, 90, 66), at(2, 90, 5));
        assert!(attention.0[0] > 180 && attention == cam, "{attention:?} {cam:?}");
    }

    #[test]
    fn a_sheet_survives_as_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sheet.png");
        let picture = sheet().draw();
        write_png(&path, &picture).unwrap();
        assert_eq!(image::open(&path).unwrap().to_rgb8(), picture);
    }
}
