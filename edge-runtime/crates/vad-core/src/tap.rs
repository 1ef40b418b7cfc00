//! End points of I3D and what a feature keeps of their maps.
//!
//! A tap is written as its end point, `Mixed_5c`, whose mean over time and picture is the feature, or
//! with a grid behind it, `Mixed_5c.4x4`: then it is the mean over time in each cell of a grid over the
//! picture. Heads take the former; the latter is what I3D-lite is distilled from.

use alloc::string::String;
use core::fmt;
use core::ops::Range;

/// Most cells of a grid along a side.
pub const MAX_GRID: usize = 7;

/// Where I3D is tapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndPoint {
    /// 832 channels, stride 4 in time and 16 in space.
    Mixed4f,
    /// 1024 channels, stride 8 in time and 32 in space.
    Mixed5c,
}

/// An end point and the grid over its map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct I3dTap {
    /// Where.
    pub point: EndPoint,
    /// Cells along each side of the picture, 1 to [`MAX_GRID`].
    pub grid: usize,
}

impl EndPoint {
    /// Its name in the Kinetics checkpoint.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mixed4f => "Mixed_4f",
            Self::Mixed5c => "Mixed_5c",
        }
    }

    /// Channels of its map.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::Mixed4f => 832,
            Self::Mixed5c => 1024,
        }
    }
}

impl I3dTap {
    /// The tap of a name such as `Mixed_5c` or `Mixed_5c.4x4`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let (point, grid) = match name.split_once('.') {
            None => (name, 1),
            Some((point, grid)) => (point, (2..=MAX_GRID).find(|&side| grid == cells(side))?),
        };
        let point = [EndPoint::Mixed4f, EndPoint::Mixed5c].into_iter().find(|own| own.name() == point)?;
        Some(Self { point, grid })
    }

    /// Length of its feature: channel by channel, the cells of each from the upper left, row by row.
    #[must_use]
    pub fn feature_dim(self) -> usize {
        self.point.channels() * self.grid * self.grid
    }
}

fn cells(side: usize) -> String {
    alloc::format!("{side}x{side}")
}

impl fmt::Display for I3dTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.point.name())?;
        if self.grid > 1 { write!(f, ".{}", cells(self.grid)) } else { Ok(()) }
    }
}

/// The shares of the places of a map, `[height, width]`, in each cell of a grid: a matrix of one row per cell and one column
/// per place, whose rows sum to 1. Where the sides do not divide, cells overlap by a place.
#[must_use]
pub fn grid_shares(height: usize, width: usize, grid: usize) -> alloc::vec::Vec<f32> {
    let mut shares = alloc::vec![0.0; grid * grid * height * width];
    for (cell, row) in shares.chunks_exact_mut((height * width).max(1)).enumerate() {
        let (rows, columns) = (bin(cell / grid, height, grid), bin(cell % grid, width, grid));
        // At most the places of a picture.
        let share = 1.0 / (rows.len() * columns.len()) as f32;
        for place in rows {
            row[place * width..][columns.clone()].fill(share);
        }
    }
    shares
}

/// The places of one of `bins` along a side of `places`.
fn bin(number: usize, places: usize, bins: usize) -> Range<usize> {
    number * places / bins..((number + 1) * places).div_ceil(bins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn names_are_read_as_they_are_written() {
        for point in [EndPoint::Mixed4f, EndPoint::Mixed5c] {
            for grid in 1..=MAX_GRID {
                let tap = I3dTap { point, grid };
                assert_eq!(I3dTap::from_name(&tap.to_string()), Some(tap), "{tap}");
            }
        }
        let tap = I3dTap::from_name("Mixed_5c.4x4").unwrap();
        assert_eq!((tap.grid, tap.feature_dim()), (4, 16 * 1024));
        for wrong in
            ["mixed_5c", "Mixed_5c.", "Mixed_5c.1x1", "Mixed_5c.8x8", "Mixed_5c.4x3", "Mixed_5c.4x4.2x2"]
        {
            assert_eq!(I3dTap::from_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_grid_covers_the_map_and_each_cell_is_a_mean() {
        // Seven places in four cells: 0-1, 1-3, 3-5, 5-6.
        let bins: alloc::vec::Vec<_> = (0..4).map(|number| bin(number, 7, 4)).collect();
        assert_eq!(bins, [0..2, 1..4, 3..6, 5..7]);
        for (height, width, grid) in [(7, 7, 4), (7, 7, 5), (4, 6, 2), (7, 10, 7), (3, 3, 4), (5, 5, 1)] {
            let shares = grid_shares(height, width, grid);
            for cell in shares.chunks_exact(height * width) {
                assert!((cell.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            }
            let covered =
                |place: usize| shares.iter().skip(place).step_by(height * width).any(|&share| share > 0.0);
            assert!((0..height * width).all(covered), "{height} x {width} in {grid}");
        }
    }
}
