//! How layers move the places of a map: by half a place at I3D's last one. [`vad_core::grid`] says what places are.

pub use vad_core::{Grid, Line};

/// A layer with a stride: all that moves places. Layers of stride 1 pad both sides alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strided {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// A last window that does not fit is kept.
    pub(super) pooling: bool,
}

impl Strided {
    pub(super) const fn conv(kernel: usize, stride: usize) -> Self {
        Self { kernel, stride, pooling: false }
    }

    pub(super) const fn pool(kernel: usize, stride: usize) -> Self {
        Self { kernel, stride, pooling: true }
    }

    /// The first layer of MIST's attention, which pads one place on each side.
    pub(crate) const ATTENTION: Self = Self::conv(3, 2);

    /// The places behind it, of those in front of it, to which it adds `before` places first.
    pub(crate) fn line(self, places: Line, before: usize) -> Line {
        let middle_of_first = (self.kernel as f64 - 1.0) / 2.0 - before as f64;
        Line {
            first_px: places.first_px + places.step_px * middle_of_first,
            step_px: places.step_px * self.stride as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::narrow;
    use crate::backbone::padding::Padding;
    use crate::backbone::pooling::max_pool3d;
    use burn::tensor::module::conv3d;
    use burn::tensor::ops::ConvOptions;
    use burn::tensor::{Device, Tensor, TensorData};

    #[test]
    fn equal_padding_spreads_places_evenly_and_more_at_the_end_moves_them() {
        let even = Strided::conv(4, 2).line(Line::PIXELS, 1);
        assert_eq!(even, Line { first_px: 1.0, step_px: 2.0 });
        let (moved, places) = Padding::Same.line(224, &crate::backbone::i3d::SHRINKING);
        assert_eq!((moved, places), (Line { first_px: 31.5 - 8.0, step_px: 32.0 }, 7));
        assert_eq!(moved.place_at(23.5 + 3.0 * 32.0), 3.0);
    }

    /// A picture that is bright in one column, through a convolution of ones and a pooling: whether each column answers.
    fn answering(size: usize, column: usize, padding: Padding) -> Vec<bool> {
        let device = Device::flex();
        let picture: Vec<f32> = (0..size * size).map(|at| f32::from(u8::from(at % size == column))).collect();
        let picture = Tensor::from_data(TensorData::new(picture, [1, 1, 1, size, size]), &device);
        let map = padding.conv3d(picture, Tensor::ones([1, 1, 1, 7, 7], &device), None, [1, 2, 2]);
        let map = padding.max_pool3d(map, [1, 3, 3], [1, 2, 2]);
        let [.., columns] = map.dims();
        let values: Vec<f32> = map.into_data().iter::<f32>().collect();
        let row = values.len() / columns / 2 * columns;
        values[row..row + columns].iter().map(|value| *value > 0.0).collect()
    }

    #[test]
    fn places_are_where_the_middles_of_their_windows_are() {
        let layers = [Strided::conv(7, 2), Strided::pool(3, 2)];
        for padding in [Padding::Same, Padding::Mist] {
            for size in [32, 36, 29, 31] {
                let (line, places) = padding.line(size, &layers);
                let answers: Vec<Vec<bool>> =
                    (0..size).map(|column| answering(size, column, padding)).collect();
                assert_eq!(answers[0].len(), places, "{padding:?} {size}");
                let mut whole_windows = 0;
                for place in 0..places {
                    let answers = |column: &usize| answers[*column].get(place) == Some(&true);
                    let sees: Vec<usize> = (0..size).filter(answers).collect();
                    let middle = (sees[0] + sees[sees.len() - 1] + 1) as f64 / 2.0;
                    // Windows at the edge are cut off; those in the middle are 11 columns wide.
                    if sees.len() == 11 {
                        assert_eq!(line.place_at(middle), place as f64, "{padding:?} {size}");
                        whole_windows += 1;
                    }
                }
                assert!(whole_windows > 2, "{padding:?} {size}: nothing was compared");
            }
        }
    }

    #[test]
    fn the_attention_and_the_poolings_of_c3d_follow_the_same_rule() {
        let device = Device::flex();
        let pooled = max_pool3d(narrow::values([1, 1, 1, 8, 8]), [1, 2, 2], [1, 2, 2], [(0, 0); 3]);
        let kernel = Tensor::ones([1, 1, 1, 3, 3], &device);
        let map = conv3d(pooled, kernel, None, ConvOptions::new([1, 2, 2], [0, 1, 1], [1; 3], 1));
        assert_eq!(map.dims(), [1, 1, 1, 2, 2]);
        let halved = Strided::pool(2, 2).line(Line::PIXELS, 0);
        assert_eq!(halved, Line { first_px: 1.0, step_px: 2.0 });
        // Place 1 sees the pooled places 1 to 3: pixels 2 to 7, whose middle is at 5.
        assert_eq!(Strided::ATTENTION.line(halved, 1).place_at(5.0), 1.0);
    }
}
