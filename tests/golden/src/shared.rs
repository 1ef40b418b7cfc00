//! Footage and weights that tests need and the repository does not hold.

use std::path::{Path, PathBuf};

/// The folder `data/NAME` below `WATCHPOST_SHARED`, by default `shared` beside the repository. `None`, after saying so
/// loudly, when it is absent.
pub fn shared_data(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let root = std::env::var_os("WATCHPOST_SHARED").map_or_else(beside, PathBuf::from);
    let folder = root.join("data").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "\n*** NOT TESTED: {} is absent; set WATCHPOST_SHARED to the folder that holds data/{name} ***\n",
        folder.display()
    );
    None
}

/// The Kinetics-400 weights of I3D, or `None` after saying so loudly.
pub fn kinetics_i3d() -> Option<PathBuf> {
    Some(shared_data("i3d")?.join("i3d_rgb_kinetics400.safetensors"))
}
