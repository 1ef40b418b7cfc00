//! The first layers of I3D up to `Mixed_4b`: an encoder that a processor can fine-tune in minutes.
//!
//! It starts from the Kinetics weights of I3D itself, so nothing has to be distilled or trained anew; 2,360,384 of the
//! 12,287,264 parameters. Everything before the first Inception block stays as it was loaded: those three convolutions see
//! edges and motion of a few pixels, and they are two thirds of the work of a training step.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::grid::Line;
use super::i3d::{BLOCKS_3, COLOURS, SHRINKING, load_chain, outputs, run};
use super::inception::Inception;
use super::padding::Padding;
use super::source::Names;
use super::unit::{Build, Learning, Unit};
use crate::tensors::{Arrays, TensorsError};

/// The blocks after the third pooling.
const BLOCKS_4: [&str; 1] = ["4b"];

/// The network.
#[derive(Module, Debug)]
pub struct ShortI3d {
    conv_1a: Unit,
    conv_2b: Unit,
    conv_2c: Unit,
    mixed_3: Vec<Inception>,
    mixed_4: Vec<Inception>,
    #[module(skip)]
    padding: Padding,
}

/// Maps at both taps for a batch of clips.
#[derive(Clone, Debug)]
pub struct ShortI3dMaps {
    /// `[N, 480, T/2, H/8, W/8]`.
    pub mixed_3c: Tensor<5>,
    /// `[N, 512, T/4, H/16, W/16]`.
    pub mixed_4b: Tensor<5>,
}

impl ShortI3d {
    /// Loads the layers from the arrays of a whole I3D or of this network; others among them are ignored.
    ///
    /// # Errors
    /// When an array is missing or of the wrong shape, or the layers' widths do not chain.
    pub fn load(build: Build<'_>) -> Result<Self, TensorsError> {
        let [name_1a, name_2b, name_2c] = build.source.names.stem();
        let frozen = Learning { weights: false, norms: false };
        let conv_1a = Unit::load(build, name_1a, COLOURS, [7; 3], 2)?.learning(frozen);
        let conv_2b = Unit::load(build, name_2b, conv_1a.outputs(), [1; 3], 1)?.learning(frozen);
        let conv_2c = Unit::load(build, name_2c, conv_2b.outputs(), [3; 3], 1)?.learning(frozen);
        let mixed_3 = load_chain(build, &BLOCKS_3, conv_2c.outputs())?;
        let mixed_4 = load_chain(build, &BLOCKS_4, outputs(&mixed_3))?;
        Ok(Self { conv_1a, conv_2b, conv_2c, mixed_3, mixed_4, padding: build.padding })
    }

    /// The maps at both taps.
    ///
    /// # Shapes
    /// `[N, 3, T, H, W]`, values in -1..=1.
    pub fn forward(&self, clips: Tensor<5>) -> ShortI3dMaps {
        let pool = |x| self.padding.max_pool3d(x, [1, 3, 3], [1, 2, 2]);
        let x = pool(self.conv_1a.forward(clips));
        let x = self.conv_2c.forward(self.conv_2b.forward(x));
        let mixed_3c = run(&self.mixed_3, pool(x));
        ShortI3dMaps { mixed_4b: self.mixed_4b(mixed_3c.clone()), mixed_3c }
    }

    /// The last map from the one before it.
    pub(crate) fn mixed_4b(&self, mixed_3c: Tensor<5>) -> Tensor<5> {
        run(&self.mixed_4, self.padding.max_pool3d(mixed_3c, [3; 3], [2; 3]))
    }

    /// Where the places of `mixed_3c` and `mixed_4b` lie along a side of so many pixels.
    pub(crate) fn lines(&self, side_px: usize) -> [Line; 2] {
        [3, 4].map(|layers| self.padding.line(side_px, &SHRINKING[..layers]).0)
    }

    /// Channels of `mixed_3c` and `mixed_4b`: 480 and 512 with the Kinetics weights.
    pub fn widths(&self) -> [usize; 2] {
        [outputs(&self.mixed_3), outputs(&self.mixed_4)]
    }

    /// The same with other parameters of the Inception blocks learning; the convolutions before them never do.
    pub fn learning(self, learning: Learning) -> Self {
        let chain =
            |blocks: Vec<Inception>| blocks.into_iter().map(|block| block.learning(learning)).collect();
        Self { mixed_3: chain(self.mixed_3), mixed_4: chain(self.mixed_4), ..self }
    }

    /// Adds the parameters and statistics, or the gradients alone (zero where there is none), each name after `prefix`.
    pub fn store(&self, prefix: &str, names: Names, grads: Option<&GradientsParams>, arrays: &mut Arrays) {
        for (name, unit) in names.stem().into_iter().zip([&self.conv_1a, &self.conv_2b, &self.conv_2c]) {
            unit.store(&format!("{prefix}{name}"), names, grads, arrays);
        }
        let blocks = self.mixed_3.iter().chain(&self.mixed_4);
        for (number, block) in BLOCKS_3.iter().chain(&BLOCKS_4).zip(blocks) {
            block.store(&format!("{prefix}{}", names.mixed(number)), names, grads, arrays);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::i3d::I3d;
    use crate::backbone::narrow;
    use crate::backbone::source::Source;
    use crate::backbone::unit::Form;
    use crate::tensors::Array;
    use burn::tensor::Device;

    #[test]
    fn it_is_the_beginning_of_the_whole_network() {
        let (device, arrays) = (Device::flex(), narrow::i3d(Names::Kinetics));
        let source = Source { arrays: &arrays, origin: "test", prefix: "", names: Names::Kinetics };
        let build = Build { source, padding: Padding::Same, form: Form::Trainable, device: &device };
        let (short, whole) = (ShortI3d::load(build).unwrap(), I3d::load(build).unwrap());
        let clips = narrow::values([2, 3, 8, 48, 32]);
        let maps = short.forward(clips.clone());
        assert_eq!(maps.mixed_3c.dims(), [2, short.widths()[0], 4, 6, 4]);
        assert_eq!(maps.mixed_4b.dims(), [2, short.widths()[1], 2, 3, 2]);
        let same = Array::from_tensor(whole.forward(clips).mixed_3c);
        assert_eq!(Array::from_tensor(maps.mixed_3c), same);
    }

    #[test]
    fn it_survives_a_round_trip_and_names_what_is_missing() {
        let device = Device::flex();
        let mut arrays = narrow::i3d(Names::Kinetics);
        let load = |arrays: &Arrays, names: Names| {
            let source = Source { arrays, origin: "test", prefix: "", names };
            ShortI3d::load(Build { source, padding: Padding::Same, form: Form::Trainable, device: &device })
        };
        let mut stored = Arrays::new();
        load(&arrays, Names::Kinetics).unwrap().store("", Names::Mist, None, &mut stored);
        let mut again = Arrays::new();
        load(&stored, Names::Mist).unwrap().store("", Names::Mist, None, &mut again);
        assert_eq!(again, stored);
        arrays.remove("Mixed_4b.Branch_0.Conv3d_0a_1x1.conv.weight");
        let error = load(&arrays, Names::Kinetics).unwrap_err();
        assert!(error.to_string().contains("Mixed_4b.Branch_0"), "{error}");
    }
}
