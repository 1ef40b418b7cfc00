//! What a picture's faults are judged by: a coarse look at it, and how alike two of them are.

use vad_core::RgbFrame;

use super::day_night::coloured_share;

/// Neighbouring samples that differ by more have an edge between them; noise seldom does.
const EDGE_LEVELS: f32 = 16.0;
/// Scenes of less deviation between cells are too plain to be told apart.
const LEAST_DEVIATION: f32 = 2.0;

const CELL_COLUMNS: usize = 16;
const CELL_ROWS: usize = 12;
/// Samples of a cell each way.
const CELL_SAMPLES: usize = 4;
/// The same, all of them.
const SAMPLES_OF_CELL: f32 = (CELL_SAMPLES * CELL_SAMPLES) as f32;
const COLUMNS: usize = CELL_COLUMNS * CELL_SAMPLES;
const ROWS: usize = CELL_ROWS * CELL_SAMPLES;

/// One value of each cell.
pub(super) type Cells = [f32; CELL_COLUMNS * CELL_ROWS];

/// A coarse look at a picture's luma, of the same number of samples in every size of picture.
pub(super) struct Statistics {
    /// Mean, of 255.
    pub(super) level: f32,
    /// Mean difference of neighbouring samples: a gradient over the picture has next to none, and edges have much.
    pub(super) contrast: f32,
    /// Share of neighbouring samples with an edge between them, 0 to 1.
    pub(super) edges: f32,
    /// Share of cells that have a colour, 0 to 1.
    pub(super) coloured: f32,
    /// Mean of each cell.
    pub(super) cells: Cells,
}

impl Statistics {
    pub(super) fn of(frame: RgbFrame<'_>) -> Self {
        let (width, height) = (frame.width_px() as usize, frame.height_px() as usize);
        let mut means = [[0.0; 3]; CELL_COLUMNS * CELL_ROWS];
        let samples: [f32; COLUMNS * ROWS] = std::array::from_fn(|at| {
            let (column, row) = (at % COLUMNS, at / COLUMNS);
            let (x, y) = ((2 * column + 1) * width / (2 * COLUMNS), (2 * row + 1) * height / (2 * ROWS));
            let pixel = pixel(frame.data(), (y * width + x) * 3);
            let mean = &mut means[row / CELL_SAMPLES * CELL_COLUMNS + column / CELL_SAMPLES];
            mean.iter_mut().zip(pixel).for_each(|(mean, value)| *mean += value / SAMPLES_OF_CELL);
            luma(pixel)
        });
        let cells = means.map(luma);
        let across =
            samples.chunks_exact(COLUMNS).flat_map(|row| row.windows(2).map(|w| (w[0] - w[1]).abs()));
        let down = samples.iter().zip(&samples[COLUMNS..]).map(|(a, b)| (a - b).abs());
        let pairs = ((COLUMNS - 1) * ROWS + COLUMNS * (ROWS - 1)) as f32;
        let count = |(sum, edges): (f32, f32), step: f32| (sum + step, edges + f32::from(step > EDGE_LEVELS));
        let (sum, edges) = across.chain(down).fold((0.0, 0.0), count);
        let level = samples.iter().sum::<f32>() / samples.len() as f32;
        Self { level, contrast: sum / pairs, edges: edges / pairs, coloured: coloured_share(&means), cells }
    }
}

fn pixel(data: &[u8], at: usize) -> [f32; 3] {
    match data.get(at..at + 3) {
        Some(&[red, green, blue]) => [red, green, blue].map(f32::from),
        _ => [0.0; 3],
    }
}

/// ITU-R BT.601.
fn luma([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// Pearson's, -1 to 1; 1 where one of the two is too plain to tell.
pub(super) fn correlation(a: &Cells, b: &Cells) -> f32 {
    let mean = |cells: &Cells| cells.iter().sum::<f32>() / cells.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |(x, y): (&f32, &f32)| (x - mean_a) * (y - mean_b);
    let covariance: f32 = a.iter().zip(b).map(product).sum();
    let sum_of_squares = |cells: &Cells, mean: f32| cells.iter().map(|x| (x - mean).powi(2)).sum::<f32>();
    let (squares_a, squares_b) = (sum_of_squares(a, mean_a), sum_of_squares(b, mean_b));
    let least = LEAST_DEVIATION.powi(2) * a.len() as f32;
    if squares_a.min(squares_b) < least { 1.0 } else { covariance / (squares_a * squares_b).sqrt() }
}
