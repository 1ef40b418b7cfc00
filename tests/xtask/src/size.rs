//! What a board has to hold.

use crate::step::{cargo, target_dir, workspace_root};
use anyhow::Result;

pub fn report() -> Result<()> {
    cargo(&["build", "--release", "-p", "watchpostd"])?;
    println!("{:<32} {:>10}", "program", "MiB");
    for triple in ["", "aarch64-unknown-linux-musl"] {
        let path = target_dir().join(triple).join("release/watchpostd");
        if let Ok(meta) = std::fs::metadata(&path) {
            let label = if triple.is_empty() { "watchpostd (this machine)" } else { triple };
            println!("{label:<32} {:>10.1}", meta.len() as f64 / f64::from(1 << 20));
        }
    }
    println!("\nBudgets stand in {}/<board>.toml.", workspace_root().join("boards").display());
    Ok(())
}
