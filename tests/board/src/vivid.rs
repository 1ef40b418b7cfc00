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
/// The second.
pub const SECOND: Vivid = Vivid { camera: "/dev/video2", output: "/dev/video3" };

impl Vivid {
    /// Connects the output with the camera, which then shows what is played, and grey until then.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn connect(&self, board: &Remote) -> Result<()> {
        let Self { camera, output } = self;
        let size = format!("width={WIDTH_PX},height={HEIGHT_PX},pixelformat=YUYV");
        board.run(&format!(
            "set -e
            for node in {output} {camera}; do v4l2-ctl -d $node --set-dv-bt-timings index={TIMINGS}; done
            v4l2-ctl -d {output} --set-fmt-video-out={size}
            v4l2-ctl -d {camera} --set-fmt-video={size}
            v4l2-ctl -d {camera} --set-ctrl loop_video=1,osd_text_mode=2"
        ))?;
        Ok(())
    }

    /// Connects the output with the camera and plays `file` (packed YUYV pictures) into it, again and again.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn play(&self, board: &Remote, file: &str) -> Result<()> {
        self.connect(board)?;
        let output = self.output;
        board.run(&format!(
            "v4l2-ctl -d {output} --stream-out-mmap --stream-loop --stream-from={file} > /dev/null 2> /tmp/player < /dev/null &"
        ))?;
        Ok(())
    }

    /// Gives no picture any more, or all of them again: the cable is in, and nothing comes through it.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn stall(&self, board: &Remote, stalls: bool) -> Result<()> {
        let percent = if stalls { 100 } else { 0 };
        self.set(board, &format!("percentage_of_dropped_buffers={percent}"))
    }

    /// Pulls the plug: every call to the camera fails as of now. The driver plugs it in again when nobody has it open.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn unplug(&self, board: &Remote) -> Result<()> {
        self.set(board, "disconnect=1")
    }

    /// Pulls the plug as [`Vivid::unplug`] does, and takes the node away, so that what opens it next is [`Vivid::return_small`].
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn take_away(&self, board: &Remote) -> Result<()> {
        let camera = self.camera;
        board.run(&format!(
            "mv {camera} {camera}.away && v4l2-ctl -d {camera}.away --set-ctrl disconnect=1"
        ))?;
        Ok(())
    }

    /// Puts in another camera: one that gives 640 x 480 pixels and nothing else.
    ///
    /// # Errors
    /// When the driver refuses.
    pub fn return_small(&self, board: &Remote) -> Result<()> {
        let camera = self.camera;
        board.run(&format!(
            "set -e
            v4l2-ctl -d {camera}.away --set-ctrl loop_video=0,enable_capture_scaler=0,enable_capture_cropping=0,enable_capture_composing=0
            v4l2-ctl -d {camera}.away --set-dv-bt-timings index=0
            mv {camera}.away {camera}"
        ))?;
        Ok(())
    }

    /// What the driver answers to whoever wants another size, another format and another signal of the camera.
    ///
    /// # Errors
    /// When nobody answers.
    pub fn ask_for_change(&self, board: &Remote) -> Result<[String; 3]> {
        let camera = self.camera;
        let ask = |option: &str| board.run(&format!("v4l2-ctl -d {camera} {option} 2>&1 || true"));
        Ok([
            ask("--set-fmt-video=width=640,height=480,pixelformat=YUYV")?,
            ask("--set-fmt-video=width=320,height=240,pixelformat=NV12")?,
            ask("--set-dv-bt-timings index=0")?,
        ])
    }

    fn set(&self, board: &Remote, control: &str) -> Result<()> {
        board.run(&format!("v4l2-ctl -d {} --set-ctrl {control}", self.camera)).map(drop)
    }
}
