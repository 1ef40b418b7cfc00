//! First values of I3D-lite from EfficientNet-Lite0, which learnt on ImageNet, where shapes allow.
//!
//! EfficientNet widens a block before its depthwise kernel and I3D-lite behind it, and their widths differ. So this is no
//! transfer of a network but of its parts: kernels of edges and textures, and the leading channels of what mixes them.
//!
//! | layer | takes |
//! |---|---|
//! | `stem`, 4x4 | the stem's 3x3 in its upper left, the rest 0 |
//! | `stageS.N.space` | a depthwise kernel of the same side, the leading channels |
//! | `stageS.N.expand`, `project` | the leading outputs and inputs of that block's |
//! | `last` | the same of the layer before the classifier |
//!
//! Batch normalisation is folded into the weights. What is taken has, output by output, the strength of the values that it
//! replaces, because channels of both kinds meet in a sum; what is not taken stays. Biases and kernels over time stay too:
//! calibration makes the former anew, and a picture knows nothing of the latter.

use std::path::Path;

use vad_core::{LiteBlock, LiteSize};

use crate::tensors::{self, Array, Arrays, TensorsError, require, require_shape};

/// Added to variances, as EfficientNet-Lite was trained.
const NORM_EPSILON: f32 = 1e-3;

/// Which layers take values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// All that fit.
    All,
    /// Those that look at more than one place: `stem` and `space`.
    Kernels,
}

/// What I3D-lite takes its first values from.
#[derive(Clone, Debug)]
pub struct Donor {
    arrays: Arrays,
    origin: String,
}

/// A layer's weights with its normalisation folded, `[outputs, inputs, side * side]`.
struct Folded {
    outputs: usize,
    inputs: usize,
    side: usize,
    values: Vec<f32>,
}

impl Donor {
    /// Reads EfficientNet-Lite0's weights.
    ///
    /// # Errors
    /// When the file cannot be read or is not a sound safetensors file.
    pub fn read(path: &Path) -> Result<Self, TensorsError> {
        let (arrays, _) = tensors::load(path)?;
        Ok(Self::new(arrays, &path.display().to_string()))
    }

    /// Takes arrays; `origin` says where they came from.
    pub fn new(arrays: Arrays, origin: &str) -> Self {
        Self { arrays, origin: origin.to_owned() }
    }

    /// Puts what fits into the fresh values of an I3D-lite. Returns how many values were put there.
    ///
    /// # Errors
    /// When an array of the donor is missing or of another shape, or one of the network is.
    pub fn graft(&self, size: LiteSize, parts: Parts, fresh: &mut Arrays) -> Result<usize, TensorsError> {
        let mut taken = self.layer("stem", ["_conv_stem", "_bn0"], fresh)?;
        for block in size.plan().blocks() {
            let donor = donor_of(&block);
            let layers = [
                ("space", "_depthwise_conv", "_bn1"),
                ("expand", "_expand_conv", "_bn0"),
                ("project", "_project_conv", "_bn2"),
            ];
            let wanted = if parts == Parts::All { layers.len() } else { 1 };
            for (layer, conv, norm) in layers.into_iter().take(wanted) {
                let names = [conv, norm].map(|part| format!("_blocks.{donor}.{part}"));
                taken += self.layer(&block.layer(layer), names.each_ref().map(String::as_str), fresh)?;
            }
        }
        Ok(match parts {
            Parts::All => taken + self.layer("last", ["_conv_head", "_bn1"], fresh)?,
            Parts::Kernels => taken,
        })
    }

    fn layer(&self, name: &str, donor: [&str; 2], fresh: &mut Arrays) -> Result<usize, TensorsError> {
        let folded = self.folded(donor)?;
        let name = format!("{name}.weight");
        let missing = || TensorsError::Missing { origin: "first values".to_owned(), name: name.clone() };
        Ok(graft(&folded, fresh.get_mut(&name).ok_or_else(missing)?))
    }

    /// A convolution and the normalisation behind it.
    fn folded(&self, [conv, norm]: [&str; 2]) -> Result<Folded, TensorsError> {
        let (name, origin) = (format!("{conv}.weight"), self.origin.as_str());
        let weight = require(&self.arrays, origin, &name)?;
        let [outputs, inputs, side, _] = *weight.shape.as_slice() else {
            let (got, want) = (weight.shape.clone(), vec![0; 4]);
            return Err(TensorsError::Shape { origin: origin.to_owned(), name, got, want });
        };
        require_shape(&self.arrays, origin, &name, &[outputs, inputs, side, side])?;
        let of_norm = |part: &str| {
            require_shape(&self.arrays, origin, &format!("{norm}.{part}"), &[outputs])
                .map(|array| &array.values)
        };
        let (gain, variance) = (of_norm("weight")?, of_norm("running_var")?);
        let scales =
            gain.iter().zip(variance).map(|(gain, variance)| gain / (variance + NORM_EPSILON).sqrt());
        let rows = weight.values.chunks_exact((inputs * side * side).max(1));
        let values =
            rows.zip(scales).flat_map(|(row, scale)| row.iter().map(move |value| value * scale)).collect();
        Ok(Folded { outputs, inputs, side, values })
    }
}

/// The block of EfficientNet-Lite0 that a block takes its kernels from: one of about that depth, whose depthwise kernel has
/// the same side and enough channels.
fn donor_of(block: &LiteBlock) -> usize {
    let [stage, number] = block.place;
    let donors: &[usize] = match (stage, block.space_kernel) {
        (0, _) => &[1, 2],
        (1, _) => &[5, 6],
        (2, _) => &[8, 9, 10],
        (_, 3) => &[15, 7],
        (_, _) => &[14],
    };
    donors[number.min(donors.len() - 1)]
}

/// Puts the leading outputs and inputs into a layer `[outputs, inputs, 1, side, side]`. Returns how many values were put there.
fn graft(donor: &Folded, layer: &mut Array) -> usize {
    let [outputs, inputs, _, side, _] = *layer.shape.as_slice() else { return 0 };
    if donor.side > side {
        return 0;
    }
    let (rows, columns) = (outputs.min(donor.outputs), inputs.min(donor.inputs));
    let mut taken = 0;
    for row in 0..rows {
        let own = |column: usize| (row * inputs + column) * side * side;
        let others = |column: usize| (row * donor.inputs + column) * donor.side * donor.side;
        let replaced = strength(&layer.values[own(0)..own(columns)]);
        let given = strength(&donor.values[others(0)..others(columns)]);
        // A channel that is always 0 is nothing to begin with.
        if given == 0.0 {
            continue;
        }
        let scale = replaced / given;
        for column in 0..columns {
            layer.values[own(column)..own(column + 1)].fill(0.0);
            for line in 0..donor.side {
                let from = &donor.values[others(column) + line * donor.side..][..donor.side];
                let into = &mut layer.values[own(column) + line * side..][..donor.side];
                into.iter_mut().zip(from).for_each(|(into, from)| *into = from * scale);
            }
        }
        taken += columns * donor.side * donor.side;
    }
    taken
}

/// Root of the mean square.
fn strength(values: &[f32]) -> f32 {
    (values.iter().map(|value| value * value).sum::<f32>() / values.len().max(1) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbone::i3d_lite::I3dLite;
    use burn::tensor::Device;
    use golden::hashed_values;

    /// Inputs, widened channels, outputs and the side of the depthwise kernel of the blocks that are taken from.
    const BLOCKS: [(usize, [usize; 4]); 9] = [
        (1, [16, 96, 24, 3]),
        (2, [24, 144, 24, 3]),
        (5, [40, 240, 80, 3]),
        (6, [80, 480, 80, 3]),
        (7, [80, 480, 80, 3]),
        (8, [80, 480, 112, 5]),
        (9, [112, 672, 112, 5]),
        (10, [112, 672, 112, 5]),
        (14, [192, 1152, 192, 5]),
    ];
    const LAST_BLOCK: (usize, [usize; 4]) = (15, [192, 1152, 320, 3]);

    /// Arrays of EfficientNet-Lite0's shapes.
    fn donor() -> Arrays {
        let mut arrays = Arrays::new();
        let mut add = |name: String, shape: Vec<usize>, low: f64| {
            let values = hashed_values(&name, 3, shape.iter().product(), low, 1.0);
            arrays.insert(name, Array { shape, values });
        };
        let mut layer = |conv: String, norm: String, shape: [usize; 4]| {
            add(format!("{conv}.weight"), shape.to_vec(), -1.0);
            add(format!("{norm}.weight"), vec![shape[0]], -1.0);
            add(format!("{norm}.running_var"), vec![shape[0]], 0.1);
        };
        layer("_conv_stem".to_owned(), "_bn0".to_owned(), [32, 3, 3, 3]);
        for (block, [inputs, width, outputs, side]) in BLOCKS.into_iter().chain([LAST_BLOCK]) {
            let name = |part: &str| format!("_blocks.{block}.{part}");
            layer(name("_expand_conv"), name("_bn0"), [width, inputs, 1, 1]);
            layer(name("_depthwise_conv"), name("_bn1"), [width, 1, side, side]);
            layer(name("_project_conv"), name("_bn2"), [outputs, width, 1, 1]);
        }
        layer("_conv_head".to_owned(), "_bn1".to_owned(), [1280, 320, 1, 1]);
        arrays
    }

    fn fresh(size: LiteSize) -> Arrays {
        I3dLite::init(size, 1, &Device::flex()).to_arrays()
    }

    /// Whether some numbers are others times a common factor above 0.
    fn is_like(own: &[f32], others: &[f32]) -> bool {
        let product = own.iter().zip(others).map(|(own, other)| own * other).sum::<f32>();
        let lengths =
            [own, others].map(|values| values.iter().map(|value| value * value).sum::<f32>().sqrt());
        product > 0.9999 * lengths[0] * lengths[1]
    }

    /// One output of the donor, as it stands, turned round where its normalisation does so.
    fn kernel(donor: &Arrays, conv: &str, norm: &str, output: usize) -> Vec<f32> {
        let weight = &donor[&format!("{conv}.weight")];
        let length = weight.shape[1..].iter().product::<usize>();
        let gain = donor[&format!("{norm}.weight")].values[output];
        weight.values[output * length..(output + 1) * length]
            .iter()
            .map(|value| value * gain.signum())
            .collect()
    }

    #[test]
    fn kernels_come_to_their_places_with_the_norm_folded() {
        let size = LiteSize::Small;
        let (donor, before, mut after) = (donor(), fresh(size), fresh(size));
        Donor::new(donor.clone(), "test").graft(size, Parts::All, &mut after).unwrap();
        for output in [0, 7, 31] {
            let stem = &after["stem.weight"].values[output * 48..(output + 1) * 48];
            let want = kernel(&donor, "_conv_stem", "_bn0", output);
            for (colour, want) in want.chunks_exact(9).enumerate() {
                let place = |row: usize, column: usize| stem[colour * 16 + row * 4 + column];
                let inside: Vec<f32> = (0..9).map(|at| place(at / 3, at % 3)).collect();
                assert!(is_like(&inside, want), "{output} {colour}");
                assert!((0..4).all(|at| place(3, at) == 0.0 && place(at, 3) == 0.0));
            }
            let space = &after["stage3.1.space.weight"].values[output * 25..(output + 1) * 25];
            assert!(is_like(space, &kernel(&donor, "_blocks.9._depthwise_conv", "_blocks.9._bn1", output)));
        }
        // 128 inputs, of which the donor has 112.
        let row = |arrays: &Arrays, row: usize| {
            arrays["stage3.1.expand.weight"].values[row * 128..][..128].to_vec()
        };
        let (own, old) = (row(&after, 5), row(&before, 5));
        assert!(is_like(&own[..112], &kernel(&donor, "_blocks.9._expand_conv", "_blocks.9._bn0", 5)));
        assert!((strength(&own[..112]) - strength(&old[..112])).abs() < 1e-5);
        assert_eq!(own[112..], old[112..]);
        // 128 outputs, of which the donor has 112.
        let rest = |arrays: &Arrays| arrays["stage3.1.project.weight"].values[112 * 384..].to_vec();
        assert_eq!(rest(&after), rest(&before));
        for name in ["stage3.1.time.weight", "stage3.1.time.bias", "stem.bias"] {
            assert_eq!(after[name], before[name], "{name}");
        }
    }

    #[test]
    fn the_documentation_says_how_much_is_taken() {
        let page = include_str!("../../../docs/design/0014-i3d-lite.md");
        let donor = Donor::new(donor(), "test");
        for size in LiteSize::ALL {
            let mut arrays = fresh(size);
            let all: usize = arrays.values().map(|array| array.values.len()).sum();
            let [taken, kernels] =
                [Parts::All, Parts::Kernels].map(|parts| donor.graft(size, parts, &mut arrays).unwrap());
            let row = format!("| {size} | {taken} of {all} | {kernels} |");
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn kernels_alone_leave_what_mixes_channels() {
        let size = LiteSize::Small;
        let (before, mut after) = (fresh(size), fresh(size));
        Donor::new(donor(), "test").graft(size, Parts::Kernels, &mut after).unwrap();
        for (name, array) in &before {
            let is_kernel = name == "stem.weight" || name.ends_with(".space.weight");
            assert_eq!(after[name] != *array, is_kernel, "{name}");
        }
    }

    #[test]
    fn another_network_is_refused_by_name() {
        let mut arrays = donor();
        arrays.remove("_blocks.9._bn1.running_var");
        let error = Donor::new(arrays, "other")
            .graft(LiteSize::Small, Parts::All, &mut fresh(LiteSize::Small))
            .unwrap_err();
        assert!(error.to_string().contains("_blocks.9._bn1.running_var"), "{error}");
    }
}
