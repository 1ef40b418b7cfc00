//! How long processors have worked for this program.

/// What Linux counts processor time in when it tells programs, whatever it counts in itself.
const TICKS_PER_S: f64 = 100.0;

/// Seconds of all cores together that this program has used, and the decoders that it started and that have ended. `None`
/// where the system does not tell.
pub fn seconds() -> Option<f64> {
    of(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// User and system time, own and of children that have ended: fields 14 to 17, counted behind the program's name, which may
/// hold anything.
fn of(stat: &str) -> Option<f64> {
    let (_, behind) = stat.rsplit_once(") ")?;
    let ticks: Vec<f64> = behind.split(' ').skip(11).take(4).map_while(|field| field.parse().ok()).collect();
    (ticks.len() == 4).then(|| ticks.iter().sum::<f64>() / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let stat = "7 (a) b) R 1 7 7 0 -1 4194304 90 0 0 0 150 50 1000 300 20 0 1 0 99 8000 200";
        assert_eq!(of(stat), Some(15.0));
        assert_eq!(of("7 (a"), None);
        assert_eq!(of("7 (a) R 1 2"), None);
    }
}
