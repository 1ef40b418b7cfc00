//! The order people expect of numbered files: `frame9` before `frame10`.

use std::cmp::Ordering;

/// Compares two names so that runs of digits count as numbers (of any length). Names that differ only in leading
/// zeros fall back to byte order, so the order is total: equal only if the names are.
#[must_use]
pub fn natural_cmp(left: &str, right: &str) -> Ordering {
    let (mut a, mut b) = (left.as_bytes(), right.as_bytes());
    while let (Some(&x), Some(&y)) = (a.first(), b.first()) {
        let order = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (number_a, rest_a) = split_number(a);
            let (number_b, rest_b) = split_number(b);
            (a, b) = (rest_a, rest_b);
            number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b))
        } else {
            (a, b) = (&a[1..], &b[1..]);
            x.cmp(&y)
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    a.len().cmp(&b.len()).then_with(|| left.cmp(right))
}

/// The leading digits without leading zeros, and what follows them.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let zeros = digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len());
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_count_as_numbers() {
        let mut names =
            ["f10.png", "f9.png", "f010.png", "f1.png", "f2b", "f2a", "g", "f", "f99999999999999999999999"];
        names.sort_by(|a, b| natural_cmp(a, b));
        assert_eq!(
            names,
            ["f", "f1.png", "f2a", "f2b", "f9.png", "f010.png", "f10.png", "f99999999999999999999999", "g"]
        );
    }

    proptest! {
        #[test]
        fn the_order_is_total(names in prop::collection::vec("[a-b0-2.]{0,5}", 3)) {
            let [a, b, c] = [&names[0], &names[1], &names[2]];
            prop_assert_eq!(natural_cmp(a, b), natural_cmp(b, a).reverse());
            prop_assert_eq!(natural_cmp(a, b) == Ordering::Equal, a == b);
            if natural_cmp(a, b) != Ordering::Greater && natural_cmp(b, c) != Ordering::Greater {
                prop_assert_ne!(natural_cmp(a, c), Ordering::Greater);
            }
        }

        #[test]
        fn values_decide(a in any::<u64>(), b in any::<u64>(), zeros in 0_usize..4) {
            let (left, right) = (format!("f{}{a}", "0".repeat(zeros)), format!("f{b}"));
            if a != b {
                prop_assert_eq!(natural_cmp(&left, &right), a.cmp(&b));
            }
        }
    }
}
