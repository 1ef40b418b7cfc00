//! The outermost protobuf layer, walked by hand.
//!
//! A protobuf decoder skips fields it does not know and merges repeated messages, so bytes added
//! behind a model would pass unseen. Here each top-level field must be one of `ModelProto`'s, occur
//! as often as it may, and the last must end exactly where the file ends.

/// Fields of `ModelProto` that may appear at most once.
const SINGLE: [u64; 7] = [1, 2, 3, 4, 5, 6, 7];
/// Fields of `ModelProto` that may repeat.
const REPEATED: [u64; 4] = [8, 14, 20, 25];

/// Wire type of a variable-length integer.
const VARINT: u64 = 0;
/// Wire type of a length-prefixed field.
const BYTES: u64 = 2;

/// Checks the top level of a model file.
pub(super) fn check(mut rest: &[u8]) -> Result<(), String> {
    let total = rest.len();
    let mut seen = [false; 8];
    while !rest.is_empty() {
        let at = total - rest.len();
        let truncated = || format!("truncated in the field at byte {at}");
        let key = varint(&mut rest).ok_or_else(truncated)?;
        let (field, wire) = (key >> 3, key & 7);
        if SINGLE.contains(&field) {
            let slot = &mut seen[field as usize];
            if std::mem::replace(slot, true) {
                return Err(format!("field {field} occurs again at byte {at}"));
            }
        } else if !REPEATED.contains(&field) {
            return Err(format!("unknown field {field} at byte {at}"));
        }
        skip(&mut rest, wire).ok_or_else(truncated)?;
    }
    if seen[7] { Ok(()) } else { Err("it holds no graph".to_owned()) }
}

fn skip(rest: &mut &[u8], wire: u64) -> Option<()> {
    match wire {
        VARINT => varint(rest).map(drop),
        BYTES => {
            let length = usize::try_from(varint(rest)?).ok()?;
            *rest = rest.get(length..)?;
            Some(())
        }
        _ => None,
    }
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
