//! Description of the attention that a model may carry: a map of where in its pictures the encoder looks.
//!
//! MIST's self-guided attention reads the map behind one stage of an I3D-lite over a whole clip and gives one value for
//! each place of a coarser map, 0 to 1. It explains a score and has no part in it.

use serde::{Deserialize, Serialize};

use crate::grid::{Grid, Line};
use crate::lite::STEM_PX;
use crate::preprocess::MAX_MODEL_SIDE_PX;
use crate::spec::{SpecError, check_range};

/// The last stage whose map can be read. That of the fourth is not what it was trained to be where the layer behind it
/// computes in int8.
pub const MAX_TAPPED_STAGE: u8 = 3;

/// What the attention reads, and where its values lie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionSpec {
    /// The stage of the I3D-lite whose output it reads, 1 to [`MAX_TAPPED_STAGE`].
    pub stage: u8,
    /// Rows of its map.
    pub rows: u16,
    /// Columns of its map.
    pub columns: u16,
    /// Where its places lie in the encoder's picture.
    pub grid: Grid,
}

impl AttentionSpec {
    /// Checks every field.
    ///
    /// # Errors
    ///
    /// The first field that is out of its range, by its full name.
    pub fn validate(&self) -> Result<(), SpecError> {
        let places = 1.0..=f64::from(MAX_MODEL_SIDE_PX / STEM_PX);
        check_range("attention.stage", self.stage.into(), 1.0..=MAX_TAPPED_STAGE.into())?;
        check_range("attention.rows", self.rows.into(), places.clone())?;
        check_range("attention.columns", self.columns.into(), places)?;
        let Grid { rows, columns } = self.grid;
        check_line(["attention.grid.rows.first_px", "attention.grid.rows.step_px"], rows)?;
        check_line(["attention.grid.columns.first_px", "attention.grid.columns.step_px"], columns)
    }
}

fn check_line([first, step]: [&'static str; 2], line: Line) -> Result<(), SpecError> {
    let side_px = f64::from(MAX_MODEL_SIDE_PX);
    check_range(first, line.first_px, -side_px..=side_px)?;
    check_range(step, line.step_px, 1.0..=side_px)
}
