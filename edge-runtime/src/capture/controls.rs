//! Settings of a camera's own electronics, by the names that `v4l2-ctl --list-ctrls` shows.
//!
//! The numbers are those of the kernel's interface (videodev2.h, v4l2-controls.h). A driver's own list is not asked for: the library that
//! reads it cannot bear types that it does not know.

use ::v4l::Device;
use ::v4l::control::{Control, Value};

const USER: u32 = 0x0098_0900;
const CAMERA: u32 = 0x009a_0900;

/// Every control that can be set, in the order in which they are: what is automatic first, since it locks what it governs.
const CONTROLS: [(&str, u32); 23] = [
    ("white_balance_automatic", USER + 0x0c),
    ("gain_automatic", USER + 0x12),
    ("hue_automatic", USER + 0x19),
    ("auto_exposure", CAMERA + 0x01),
    ("exposure_dynamic_framerate", CAMERA + 0x03),
    ("focus_automatic_continuous", CAMERA + 0x0c),
    ("power_line_frequency", USER + 0x18),
    ("brightness", USER),
    ("contrast", USER + 0x01),
    ("saturation", USER + 0x02),
    ("hue", USER + 0x03),
    ("red_balance", USER + 0x0e),
    ("blue_balance", USER + 0x0f),
    ("gamma", USER + 0x10),
    ("gain", USER + 0x13),
    ("horizontal_flip", USER + 0x14),
    ("vertical_flip", USER + 0x15),
    ("white_balance_temperature", USER + 0x1a),
    ("sharpness", USER + 0x1b),
    ("backlight_compensation", USER + 0x1c),
    ("exposure_time_absolute", CAMERA + 0x02),
    ("focus_absolute", CAMERA + 0x0a),
    ("zoom_absolute", CAMERA + 0x0d),
];

/// A control and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Place in the table.
    index: usize,
    value: i64,
}

impl Setting {
    /// The control of this name; `None` when there is none.
    #[must_use]
    pub fn new(name: &str, value: i64) -> Option<Self> {
        CONTROLS.iter().position(|(known, _)| *known == name).map(|index| Self { index, value })
    }

    /// Names of all controls.
    pub fn names() -> impl Iterator<Item = &'static str> {
        CONTROLS.iter().map(|(name, _)| *name)
    }

    fn name(&self) -> &'static str {
        CONTROLS[self.index].0
    }
}

/// Sets them. A camera that refuses one is used as it is: a picture that is too bright is better than none.
pub(super) fn apply(device: &Device, path: &str, settings: &[Setting]) {
    let mut in_order: Vec<&Setting> = settings.iter().collect();
    in_order.sort_by_key(|setting| setting.index);
    for setting in in_order {
        let (id, value) = (CONTROLS[setting.index].1, setting.value);
        if let Err(e) = device.set_control(Control { id, value: Value::Integer(value) }) {
            tracing::warn!(
                device = path,
                control = setting.name(),
                value,
                error = %e,
                "the camera refuses a control; `v4l2-ctl --list-ctrls` shows its ranges"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_numbers_are_unique() {
        let names: BTreeSet<_> = Setting::names().collect();
        let numbers: BTreeSet<_> = CONTROLS.iter().map(|(_, id)| id).collect();
        assert_eq!((names.len(), numbers.len()), (CONTROLS.len(), CONTROLS.len()));
        assert_eq!(Setting::new("brightness", 7).map(|setting| setting.name()), Some("brightness"));
        assert_eq!(Setting::new("brightnes", 7), None);
    }
}
