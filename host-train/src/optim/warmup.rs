//! Step sizes that start small.

/// What multiplies the step size during an epoch, counted from 0: `(epoch + 1/2) / warm-up` while the warm-up lasts, then 1.
///
/// As MIST's release has it: constant within an epoch, and never 0.
pub fn factor(epoch: u32, warmup_epochs: u32) -> f64 {
    if epoch < warmup_epochs { (f64::from(epoch) + 0.5) / f64::from(warmup_epochs) } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_rises_to_one_and_stays_there() {
        let factors: Vec<f64> = (0..8).map(|epoch| factor(epoch, 5)).collect();
        assert!(factors[0] > 0.0 && factors.is_sorted());
        assert_eq!(factors[5..], [1.0; 3]);
    }

    #[test]
    fn without_warmup_the_first_epoch_is_like_any_other() {
        assert_eq!(factor(0, 0), 1.0);
    }
}
