//! Prints how many frames per second are rendered: `cargo run -p vad-scenes --example speed`

use std::time::Instant;

use vad_scenes::{Anomaly, AnomalyKind, Scene, SceneSpec};

fn main() -> Result<(), vad_scenes::SceneError> {
    let anomaly = Some(Anomaly { kind: AnomalyKind::Vehicle, first_frame: 60, last_frame: 139 });
    let start = Instant::now();
    let mut scene = Scene::new(SceneSpec { anomaly, ..SceneSpec::normal(1) })?;
    println!("prepared in {:.0} ms", start.elapsed().as_secs_f64() * 1e3);
    let mut rgb = Vec::new();
    let start = Instant::now();
    for frame in 0..160 {
        scene.render(frame, &mut rgb)?;
    }
    println!("{:.0} frames/s of 320x240 pixels", 160.0 / start.elapsed().as_secs_f64());
    Ok(())
}
