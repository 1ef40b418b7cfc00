//! Software rasteriser: anti-aliased capsules and convex polygons on a float picture or on a coverage mask.

use crate::math::{Vec2, vec2};

/// Red, green, blue in 0..=255, not clipped while the picture is being built.
pub(crate) type Colour = [f32; 3];

/// A flat shape in pixels.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// Everything within a radius (which changes linearly) of a line; a disc where both ends meet.
    Capsule { a: Vec2, b: Vec2, radius_a_px: f32, radius_b_px: f32 },
    /// A convex polygon, its corners in either order.
    Convex { corners: Vec<Vec2> },
}

/// Pixels from `x0`, `y0` up to, not including, `x1`, `y1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x0: usize,
    pub(crate) y0: usize,
    pub(crate) x1: usize,
    pub(crate) y1: usize,
}

/// How much of a pixel a shape covers, and where on the shape's round surface the pixel lies (-1..=1).
#[derive(Clone, Copy, Debug)]
struct Touch {
    cover: f32,
    round: Vec2,
}

const NO_TOUCH: Touch = Touch { cover: 0.0, round: vec2(0.0, 0.0) };

impl Shape {
    fn bounds(&self, grow_px: f32) -> (Vec2, Vec2) {
        match self {
            Self::Capsule { a, b, radius_a_px, radius_b_px } => {
                let r = radius_a_px.max(*radius_b_px) + grow_px;
                (vec2(a.x.min(b.x) - r, a.y.min(b.y) - r), vec2(a.x.max(b.x) + r, a.y.max(b.y) + r))
            }
            Self::Convex { corners } => {
                let start = (vec2(f32::MAX, f32::MAX), vec2(f32::MIN, f32::MIN));
                let (low, high) = corners.iter().fold(start, |(low, high), p| {
                    (vec2(low.x.min(p.x), low.y.min(p.y)), vec2(high.x.max(p.x), high.y.max(p.y)))
                });
                (vec2(low.x - grow_px, low.y - grow_px), vec2(high.x + grow_px, high.y + grow_px))
            }
        }
    }

    fn touch(&self, pixel: Vec2, softness_px: f32) -> Touch {
        match self {
            Self::Capsule { a, b, radius_a_px, radius_b_px } => {
                let axis = *b - *a;
                let span = axis.dot(axis).max(1e-6);
                let along = ((pixel - *a).dot(axis) / span).clamp(0.0, 1.0);
                let offset = pixel - (*a + axis * along);
                let radius = (radius_a_px + (radius_b_px - radius_a_px) * along).max(1e-3);
                let distance = offset.dot(offset).sqrt();
                let cover = edge_cover(distance - radius, softness_px);
                // A line thinner than a pixel covers no more than its width.
                let thin = if softness_px <= 1.0 { (2.0 * radius).min(1.0) } else { 1.0 };
                Touch { cover: cover * thin, round: offset * (1.0 / radius.max(distance)) }
            }
            Self::Convex { corners } => convex_touch(corners, pixel, softness_px),
        }
    }
}

fn edge_cover(distance_px: f32, softness_px: f32) -> f32 {
    (0.5 - distance_px / softness_px).clamp(0.0, 1.0)
}

fn convex_touch(corners: &[Vec2], pixel: Vec2, softness_px: f32) -> Touch {
    let (mut inside, mut outside) = (f32::MIN, f32::MAX);
    for (index, from) in corners.iter().enumerate() {
        let edge = corners[(index + 1) % corners.len()] - *from;
        let length = edge.dot(edge).sqrt();
        if length < 1e-4 {
            continue;
        }
        let to_pixel = pixel - *from;
        let distance = (edge.x * to_pixel.y - edge.y * to_pixel.x) / length;
        inside = inside.max(distance);
        outside = outside.min(distance);
    }
    if inside < outside {
        return NO_TOUCH;
    }
    // One of the two is the largest signed distance for the corners' order.
    let distance = inside.min(-outside);
    Touch { cover: edge_cover(distance, softness_px), round: vec2(0.0, 0.0) }
}

fn area_within(bounds: (Vec2, Vec2), width: usize, height: usize) -> Area {
    let limit = |value: f32, most: usize| (value.max(0.0) as usize).min(most);
    Area {
        x0: limit(bounds.0.x.floor(), width),
        y0: limit(bounds.0.y.floor(), height),
        x1: limit(bounds.1.x.ceil() + 1.0, width),
        y1: limit(bounds.1.y.ceil() + 1.0, height),
    }
}

/// A float picture.
pub(crate) struct Canvas {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<Colour>,
}

/// How a shape is painted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    pub(crate) colour: Colour,
    /// 0 invisible, 1 opaque.
    pub(crate) opacity: f32,
    /// Direction of light in the picture; its length is the strength of the round shading.
    pub(crate) light: Vec2,
}

impl Canvas {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, pixels: vec![[0.0; 3]; width * height] }
    }

    pub(crate) fn draw(&mut self, shape: &Shape, paint: &Paint) {
        let area = area_within(shape.bounds(1.0), self.width, self.height);
        for y in area.y0..area.y1 {
            let row = &mut self.pixels[y * self.width..(y + 1) * self.width];
            for (x, pixel) in row.iter_mut().enumerate().take(area.x1).skip(area.x0) {
                let touch = shape.touch(vec2(x as f32 + 0.5, y as f32 + 0.5), 1.0);
                let cover = touch.cover * paint.opacity;
                if cover > 0.0 {
                    let lit = 1.0 + touch.round.dot(paint.light);
                    for (channel, colour) in pixel.iter_mut().zip(paint.colour) {
                        *channel += (colour * lit - *channel) * cover;
                    }
                }
            }
        }
    }
}

/// Coverage of a picture by shapes; overlapping shapes do not add up.
pub(crate) struct Mask {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) cover: Vec<f32>,
}

impl Mask {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self { width, height, cover: vec![0.0; width * height] }
    }

    pub(crate) fn clear(&mut self) {
        self.cover.fill(0.0);
    }

    /// Raises the coverage to that of the shape times `strength`, with an edge `softness_px` wide.
    pub(crate) fn raise(&mut self, shape: &Shape, strength: f32, softness_px: f32) {
        let area = area_within(shape.bounds(softness_px), self.width, self.height);
        for y in area.y0..area.y1 {
            let row = &mut self.cover[y * self.width..(y + 1) * self.width];
            for (x, cover) in row.iter_mut().enumerate().take(area.x1).skip(area.x0) {
                let touch = shape.touch(vec2(x as f32 + 0.5, y as f32 + 0.5), softness_px.max(1.0));
                *cover = cover.max(touch.cover * strength);
            }
        }
    }

    /// The covered area in pixels.
    pub(crate) fn area_px(&self) -> f32 {
        self.cover.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area_of(shape: &Shape) -> f32 {
        let mut mask = Mask::new(64, 64);
        mask.raise(shape, 1.0, 1.0);
        mask.area_px()
    }

    fn square(order: bool) -> Shape {
        let mut corners = vec![vec2(10.3, 10.0), vec2(30.3, 10.0), vec2(30.3, 25.0), vec2(10.3, 25.0)];
        if order {
            corners.reverse();
        }
        Shape::Convex { corners }
    }

    #[test]
    fn areas_are_those_of_geometry() {
        let disc =
            Shape::Capsule { a: vec2(32.0, 32.0), b: vec2(32.0, 32.0), radius_a_px: 12.0, radius_b_px: 12.0 };
        assert!((area_of(&disc) - std::f32::consts::PI * 144.0).abs() < 5.0, "{}", area_of(&disc));
        for order in [false, true] {
            let area = area_of(&square(order));
            assert!((area - 300.0).abs() < 3.0, "{area}");
        }
    }

    #[test]
    fn shapes_outside_the_picture_touch_nothing() {
        let far =
            Shape::Capsule { a: vec2(-90.0, 5.0), b: vec2(-80.0, 5.0), radius_a_px: 4.0, radius_b_px: 4.0 };
        assert_eq!(area_of(&far), 0.0);
        let beyond = Shape::Convex { corners: vec![vec2(1e9, 1e9), vec2(2e9, 1e9), vec2(2e9, 2e9)] };
        assert_eq!(area_of(&beyond), 0.0);
    }

    #[test]
    fn a_hair_line_is_faint() {
        let line =
            Shape::Capsule { a: vec2(4.0, 9.5), b: vec2(60.0, 9.5), radius_a_px: 0.1, radius_b_px: 0.1 };
        assert!(area_of(&line) < 25.0);
    }
}
