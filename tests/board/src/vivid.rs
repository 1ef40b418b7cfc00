//! The kernel's camera for tests: what is played into its output comes out of its camera, picture for picture.

use anyhow::Result;

use crate::remote::Remote;

/// Width of the footage, pixels.
pub const WIDTH_PX: u32 = 320;
/// Height of the footage, pixels.
pub const HEIGHT_PX: u32 = 240;
/// Pictures per second that go through.
pub const RATE_HZ: u32 = 24;

/// Bytes of one picture: two for a pixel.
pub const PICTURE_BYTES: usize = (WIDTH_PX * HEIGHT_PX * 2) as usize;

/// The entry of the driver's table of timings with 1280 x 720 pixels and 24 pictures per second: the slowest there is, and its
/// sides are whole multiples of the footage's, so that scaling up and down again changes no pixel.
const TIMINGS: u32 = 3;

/// A camera and the output that feeds it.
pub struct Vivid {
    /// Node of the camera.
    pub camera: &'static str,
    /// Node of the output.
    pub output: &'static str,
}

/// The first of the driver's cameras.
pub const FIRST: Vivid = Vivid { camera: "/dev/video0", output: "/dev/video1" };

impl Vivid {
    /// Connects the output with the camera and plays `file` (packed YUYV pictures) into it, again and again.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn play(&self, board: &Remote, file: &str) -> Result<()> {
        let Self { camera, output } = self;
        let size = format!("width={WIDTH_PX},height={HEIGHT_PX},pixelformat=YUYV");
        board.run(&format!(
            "set -e
            for node in {output} {camera}; do v4l2-ctl -d $node --set-dv-bt-timings index={TIMINGS}; done
            v4l2-ctl -d {output} --set-fmt-video-out={size}
            v4l2-ctl -d {camera} --set-fmt-video={size}
            v4l2-ctl -d {camera} --set-ctrl loop_video=1,osd_text_mode=2
            v4l2-ctl -d {output} --stream-out-mmap --stream-loop --stream-from={file} > /dev/null 2> /tmp/player < /dev/null &"
        ))?;
        Ok(())
    }
}
