//! Colours of people and things.

use crate::dice::Dice;
use crate::raster::Colour;

const SKIN: [Colour; 5] = [
    [236.0, 196.0, 170.0],
    [222.0, 176.0, 144.0],
    [188.0, 138.0, 104.0],
    [140.0, 94.0, 68.0],
    [98.0, 66.0, 50.0],
];
const HAIR: [Colour; 6] = [
    [38.0, 30.0, 26.0],
    [62.0, 44.0, 34.0],
    [96.0, 68.0, 46.0],
    [152.0, 118.0, 74.0],
    [150.0, 146.0, 142.0],
    [28.0, 26.0, 30.0],
];
const TOPS: [Colour; 12] = [
    [58.0, 66.0, 88.0],
    [120.0, 54.0, 50.0],
    [206.0, 202.0, 192.0],
    [46.0, 46.0, 50.0],
    [86.0, 104.0, 78.0],
    [150.0, 132.0, 104.0],
    [70.0, 100.0, 136.0],
    [168.0, 150.0, 158.0],
    [112.0, 112.0, 116.0],
    [178.0, 120.0, 62.0],
    [92.0, 62.0, 92.0],
    [188.0, 176.0, 116.0],
];
const BOTTOMS: [Colour; 6] = [
    [46.0, 54.0, 76.0],
    [40.0, 40.0, 44.0],
    [92.0, 82.0, 70.0],
    [66.0, 74.0, 92.0],
    [126.0, 116.0, 98.0],
    [58.0, 50.0, 46.0],
];
const SHOES: [Colour; 4] =
    [[34.0, 32.0, 32.0], [74.0, 54.0, 40.0], [198.0, 196.0, 192.0], [54.0, 56.0, 66.0]];
const BRIGHT: [Colour; 5] = [
    [222.0, 62.0, 48.0],
    [240.0, 186.0, 34.0],
    [42.0, 148.0, 218.0],
    [236.0, 112.0, 34.0],
    [124.0, 204.0, 70.0],
];
const BODYWORK: [Colour; 6] = [
    [186.0, 40.0, 38.0],
    [232.0, 230.0, 224.0],
    [40.0, 84.0, 156.0],
    [52.0, 54.0, 58.0],
    [218.0, 166.0, 40.0],
    [156.0, 162.0, 168.0],
];
const GREY: Colour = [90.0, 90.0, 90.0];

pub(crate) const TYRE: Colour = [34.0, 34.0, 36.0];
pub(crate) const GLASS: Colour = [62.0, 76.0, 88.0];
pub(crate) const METAL: Colour = [118.0, 120.0, 124.0];

pub(crate) fn skin(dice: &mut Dice) -> Colour {
    dice.pick(&SKIN, GREY)
}

pub(crate) fn hair(dice: &mut Dice) -> Colour {
    dice.pick(&HAIR, GREY)
}

pub(crate) fn top(dice: &mut Dice) -> Colour {
    let colour = dice.pick(&TOPS, GREY);
    shade(colour, dice.range(0.85, 1.12))
}

pub(crate) fn bottom(dice: &mut Dice) -> Colour {
    let colour = dice.pick(&BOTTOMS, GREY);
    shade(colour, dice.range(0.85, 1.15))
}

pub(crate) fn shoes(dice: &mut Dice) -> Colour {
    dice.pick(&SHOES, GREY)
}

/// A colour of sports wear or luggage.
pub(crate) fn bright(dice: &mut Dice) -> Colour {
    dice.pick(&BRIGHT, GREY)
}

pub(crate) fn bodywork(dice: &mut Dice) -> Colour {
    dice.pick(&BODYWORK, GREY)
}

pub(crate) fn shade(colour: Colour, factor: f32) -> Colour {
    colour.map(|channel| channel * factor)
}

pub(crate) fn blend(a: Colour, b: Colour, share: f32) -> Colour {
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * share)
}
