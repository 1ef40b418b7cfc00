//! Boards as tests see them: a file in `boards/`, and a machine that answers on an address.
//!
//! The emulated reference board is `boards/virt.toml`: Debian's kernel for 64-bit ARM in qemu, with that kernel's own camera driver
//! for tests, GPIO chip and watchdog. `cargo xtask board virt` builds what it needs and runs the tests.

pub mod debian;
pub mod disk;
pub mod image;
pub mod modules;
pub mod remote;
pub mod spec;
pub mod system;
pub mod usb;
pub mod virt;
pub mod vivid;

pub use remote::Remote;
pub use spec::Board;
pub use virt::Virt;
