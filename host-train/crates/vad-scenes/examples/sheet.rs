//! Writes a contact sheet of scenes as a PPM picture: one row per anomaly (the first row is normal), one
//! column per moment. `cargo run -p vad-scenes --example sheet -- OUT.ppm [SEED] [WIDTH HEIGHT]`

use std::io::Write;

use vad_scenes::{Anomaly, AnomalyKind, Scene, SceneSpec};

const COLUMNS: u64 = 5;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let out = arguments.get(1).ok_or("give the name of the picture to write")?;
    let number =
        |index: usize, otherwise: u64| arguments.get(index).map_or(Ok(otherwise), |text| text.parse());
    let (seed, width, height) = (number(2, 1)?, number(3, 320)? as usize, number(4, 240)? as usize);
    let kinds = [None].into_iter().chain(AnomalyKind::ALL.map(Some));
    let rows: Vec<Option<AnomalyKind>> = kinds.collect();
    let columns = COLUMNS as usize;
    let mut sheet = vec![0_u8; columns * width * rows.len() * height * 3];
    let mut rgb = Vec::new();
    for (row, kind) in rows.iter().enumerate() {
        let anomaly = kind.map(|kind| Anomaly { kind, first_frame: 70, last_frame: 145 });
        let spec = SceneSpec {
            place_seed: seed,
            width_px: width as u32,
            height_px: height as u32,
            anomaly,
            ..SceneSpec::normal(seed * 100 + row as u64)
        };
        let mut scene = Scene::new(spec)?;
        println!("{}: truth {:?}", kind.map_or("normal", AnomalyKind::name), scene.truth());
        for column in 0..columns {
            scene.render(72 + column as u64 * 16, &mut rgb)?;
            for (line, bytes) in rgb.chunks_exact(width * 3).enumerate() {
                let at = ((row * height + line) * columns + column) * width * 3;
                sheet[at..at + width * 3].copy_from_slice(bytes);
            }
        }
    }
    let mut file = std::fs::File::create(out)?;
    write!(file, "P6\n{} {}\n255\n", columns * width, rows.len() * height)?;
    file.write_all(&sheet)?;
    Ok(())
}
