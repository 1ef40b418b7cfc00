//! What is drawn lies where it was in the picture.

use burn::tensor::{Device, Tensor, TensorData};
use heat_map::{HeatMap, Scale};

use super::heat_map;
use crate::backbone::narrow;
use crate::backbone::padding::Padding;
use crate::backbone::source::{Names, Source};
use crate::model::sga::encoder::{Backbone, Kind, SHORT_FRAMES, SgaEncoder};
use crate::tensors::Arrays;

/// A network whose layers answer to brightness and to nothing else.
fn answering_to_light(device: &Device) -> SgaEncoder {
    let mut arrays = narrow::i3d(Names::Kinetics);
    for (name, array) in &mut arrays {
        let fan = array.values.len() as f32 / array.shape[0] as f32;
        match name.rsplit_once('.') {
            Some((_, "running_mean" | "bias")) => array.values.fill(0.0),
            Some((_, "running_var")) => array.values.fill(1.0),
            _ if name.ends_with("conv.weight") => array.values.fill(1.0 / fan),
            _ => array.values.fill(1.0),
        }
    }
    let source = Source { arrays: &arrays, origin: "test", prefix: "", names: Names::Kinetics };
    let backbone = Backbone::short_i3d(source, Padding::Same, device).unwrap();
    let fresh = SgaEncoder::with_fresh_head(backbone, 1, 1, device);
    let mut all: Arrays = fresh.to_arrays();
    for (name, array) in &mut all {
        if name.starts_with("Conv_Atten") {
            array.values.fill(if name.ends_with("bias") { 0.0 } else { 0.05 });
        }
    }
    SgaEncoder::from_arrays(Kind::ShortI3d, &all, "test", Padding::Same, device).unwrap()
}

#[test]
fn a_spot_of_light_is_found_again_where_it_was() {
    let device = Device::flex();
    let encoder = answering_to_light(&device);
    let (height, width) = (112, 144);
    let grids = encoder.grids(height, width);
    for (spot_x, spot_y) in [(40.0, 40.0), (71.0, 55.0), (90.0, 72.0), (103.0, 47.0)] {
        let light = |x: usize, y: usize| {
            let (dx, dy) = (x as f64 + 0.5 - spot_x, y as f64 + 0.5 - spot_y);
            (-(dx * dx + dy * dy) / 50.0).exp() as f32
        };
        let frame: Vec<f32> =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| light(x, y)).collect();
        let clip = frame.repeat(3 * SHORT_FRAMES);
        let clip = Tensor::from_data(TensorData::new(clip, [1, 3, SHORT_FRAMES, height, width]), &device);
        let maps = encoder.backbone().maps(clip).unwrap();
        let attention = encoder.head().forward(maps.clone()).unwrap().attention.map;
        let plane = |map: Tensor<5>| -> Tensor<2> {
            let [.., h, w] = map.dims();
            map.narrow(1, 0, 1).narrow(2, 0, 1).reshape([h, w])
        };
        for (what, map, grid) in [
            ("block 4", plane(maps.block_4), grids.block_4),
            ("block 5", plane(maps.block_5), grids.block_5),
            ("attention", plane(attention), grids.attention),
        ] {
            let heat = heat_map(map, grid);
            let [x, y] = centre(&heat);
            // Maximum poolings and cut-off kernels leave a rest, far below the half place (8 pixels) of an even spread.
            assert!(
                (x - spot_x).abs() < 3.0 && (y - spot_y).abs() < 3.0,
                "{what}: {x} {y}, not {spot_x} {spot_y}"
            );
        }
    }
}

/// The mean place of what lies above half of the range, in pixels.
fn centre(heat: &HeatMap) -> [f64; 2] {
    let scale = Scale::of([heat].into_iter(), None);
    let (mut sum, mut mass) = ([0.0, 0.0], 0.0);
    for ([x, y], value) in heat.places() {
        let weight = f64::from((scale.share(value) - 0.5).max(0.0));
        sum[0] += weight * x;
        sum[1] += weight * y;
        mass += weight;
    }
    sum.map(|sum| sum / mass)
}
