//! Reads the pickles that Watchpost needs: nested dicts of numpy arrays, as flax saves parameters, and the dicts of tensors of
//! PyTorch's files.
//!
//! A pickle is a program for a stack machine that may call any Python function. This reader knows the
//! opcodes that data of this shape uses and treats every call as a plain tuple, so nothing can be run.

use thiserror::Error;

/// Longest stack and memo that a file may ask for.
const MAX_ITEMS: usize = 1 << 16;

/// What a pickle may hold here.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    Text(String),
    Bytes(std::rc::Rc<Vec<u8>>),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(String, Value)>),
    /// A global name such as `numpy.ndarray`.
    Global(String),
    /// A call that was *not* made: function, arguments and the state set afterwards.
    Call {
        function: Box<Value>,
        arguments: Box<Value>,
        state: Option<Box<Value>>,
    },
    /// Names something outside the pickle.
    Reference(Box<Value>),
    Mark,
}

/// A dict that remembers its order, as all dicts here do.
const ORDERED_DICT: &str = "collections.OrderedDict";

#[derive(Debug, Error, PartialEq)]
pub enum PickleError {
    #[error("the pickle ends at byte {at}, in the middle of an instruction")]
    Truncated { at: usize },
    #[error("pickle instruction 0x{opcode:02x} at byte {at} is not one that saved parameters use")]
    UnknownOpcode { opcode: u8, at: usize },
    #[error("the pickle is malformed at byte {at}: {what}")]
    Malformed { at: usize, what: &'static str },
}

/// Reads a whole pickle.
///
/// # Errors
/// [`PickleError`] names the byte offset.
pub fn read(bytes: &[u8]) -> Result<Value, PickleError> {
    Ok(read_first(bytes)?.0)
}

/// Reads the pickle at the beginning, and says where the next one begins.
///
/// # Errors
/// [`PickleError`] names the byte offset.
pub fn read_first(bytes: &[u8]) -> Result<(Value, usize), PickleError> {
    let mut machine = Machine { bytes, at: 0, stack: Vec::new(), memo: Vec::new() };
    while !machine.step()? {
        if machine.stack.len() > MAX_ITEMS || machine.memo.len() > MAX_ITEMS {
            return Err(machine.malformed("too many items"));
        }
    }
    Ok((machine.pop()?, machine.at))
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    memo: Vec<Value>,
}

impl Machine<'_> {
    /// Carries out one instruction; `true` at the end of the program.
    fn step(&mut self) -> Result<bool, PickleError> {
        let opcode = self.take(1)?[0];
        match opcode {
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'.' => return Ok(true),
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'K' => self.push_int(1)?,
            b'M' => self.push_int(2)?,
            b'J' => self.push_int(4)?,
            0x8a => {
                let len = self.uint(1)?;
                let bytes = self.take(len)?.to_vec();
                // A number of any length. None is needed but as the mark of a file, byte by byte.
                self.stack.push(Value::Bytes(bytes.into()));
            }
            0x8c => self.push_text(1)?,
            b'X' => self.push_text(4)?,
            b'C' => self.push_bytes(1)?,
            b'B' => self.push_bytes(4)?,
            b'(' => self.stack.push(Value::Mark),
            b'}' => self.stack.push(Value::Dict(Vec::new())),
            b']' => self.stack.push(Value::List(Vec::new())),
            b')' => self.stack.push(Value::Tuple(Vec::new())),
            0x85 => self.push_tuple(1)?,
            0x86 => self.push_tuple(2)?,
            0x87 => self.push_tuple(3)?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.stack.push(Value::Tuple(items));
            }
            0x94 => {
                let top = self.stack.last().cloned().ok_or_else(|| self.malformed("nothing to memoize"))?;
                self.memo.push(top);
            }
            b'q' => self.put_memo(1)?,
            b'r' => self.put_memo(4)?,
            b'h' => self.push_memo(1)?,
            b'j' => self.push_memo(4)?,
            0x93 => self.push_global()?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.stack.push(Value::Global(format!("{module}.{name}")));
            }
            b'Q' => {
                let named = Box::new(self.pop()?);
                self.stack.push(Value::Reference(named));
            }
            b'R' => {
                let arguments = Box::new(self.pop()?);
                let function = Box::new(self.pop()?);
                self.stack.push(match &*function {
                    Value::Global(name) if name == ORDERED_DICT => Value::Dict(Vec::new()),
                    _ => Value::Call { function, arguments, state: None },
                });
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                match self.stack.last_mut() {
                    Some(Value::List(list)) => list.extend(items),
                    _ => return Err(self.malformed("items without a list")),
                }
            }
            b'b' => self.set_state()?,
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.insert(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.insert(items)?;
            }
            opcode => return Err(PickleError::UnknownOpcode { opcode, at: self.at - 1 }),
        }
        Ok(false)
    }

    fn malformed(&self, what: &'static str) -> PickleError {
        PickleError::Malformed { at: self.at, what }
    }

    fn take(&mut self, len: usize) -> Result<&[u8], PickleError> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(PickleError::Truncated { at: self.bytes.len() })?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn uint(&mut self, width: usize) -> Result<usize, PickleError> {
        Ok(self.take(width)?.iter().rev().fold(0, |value, byte| (value << 8) | usize::from(*byte)))
    }

    fn push_int(&mut self, width: usize) -> Result<(), PickleError> {
        let raw = self.uint(width)? as i64;
        // Only the four-byte form is signed.
        let value = if width == 4 { i64::from(raw as u32 as i32) } else { raw };
        self.stack.push(Value::Int(value));
        Ok(())
    }

    fn push_bytes(&mut self, width: usize) -> Result<(), PickleError> {
        let len = self.uint(width)?;
        let bytes = self.take(len)?.to_vec();
        self.stack.push(Value::Bytes(bytes.into()));
        Ok(())
    }

    fn push_text(&mut self, width: usize) -> Result<(), PickleError> {
        let len = self.uint(width)?;
        let text = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.stack.push(Value::Text(text));
        Ok(())
    }

    /// Text up to the end of its line.
    fn line(&mut self) -> Result<String, PickleError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|byte| *byte == b'\n');
        let len = len.ok_or(PickleError::Truncated { at: self.bytes.len() })?;
        let text = String::from_utf8_lossy(self.take(len)?).into_owned();
        self.take(1)?;
        Ok(text)
    }

    /// Puts the top of the stack into a numbered place; files number them one by one.
    fn put_memo(&mut self, width: usize) -> Result<(), PickleError> {
        let index = self.uint(width)?;
        let top = self.stack.last().cloned().ok_or_else(|| self.malformed("nothing to memoize"))?;
        match self.memo.len() {
            next if index == next => self.memo.push(top),
            len if index < len => self.memo[index] = top,
            _ => return Err(self.malformed("a memo out of order")),
        }
        Ok(())
    }

    fn push_tuple(&mut self, len: usize) -> Result<(), PickleError> {
        let from = self.stack.len().checked_sub(len).ok_or_else(|| self.malformed("tuple is short"))?;
        let items = self.stack.split_off(from);
        self.stack.push(Value::Tuple(items));
        Ok(())
    }

    fn push_memo(&mut self, width: usize) -> Result<(), PickleError> {
        let index = self.uint(width)?;
        let value = self.memo.get(index).cloned().ok_or_else(|| self.malformed("unknown memo"))?;
        self.stack.push(value);
        Ok(())
    }

    fn push_global(&mut self) -> Result<(), PickleError> {
        match (self.pop()?, self.pop()?) {
            (Value::Text(name), Value::Text(module)) => {
                self.stack.push(Value::Global(format!("{module}.{name}")));
                Ok(())
            }
            _ => Err(self.malformed("a global name is not text")),
        }
    }

    fn set_state(&mut self) -> Result<(), PickleError> {
        let new_state = self.pop()?;
        match self.stack.last_mut() {
            Some(Value::Call { state, .. }) => {
                *state = Some(Box::new(new_state));
                Ok(())
            }
            // Attributes of a dict, which say nothing of what is in it.
            Some(Value::Dict(_)) => Ok(()),
            _ => Err(self.malformed("state without an object")),
        }
    }

    fn insert(&mut self, items: Vec<Value>) -> Result<(), PickleError> {
        let at = self.at;
        let malformed = |what| PickleError::Malformed { at, what };
        let Some(Value::Dict(entries)) = self.stack.last_mut() else {
            return Err(malformed("items without a dict"));
        };
        let mut items = items.into_iter();
        while let Some(key) = items.next() {
            match (key, items.next()) {
                (Value::Text(key), Some(value)) => entries.push((key, value)),
                _ => return Err(malformed("dict key is not text, or has no value")),
            }
        }
        Ok(())
    }

    fn pop(&mut self) -> Result<Value, PickleError> {
        self.stack.pop().ok_or_else(|| self.malformed("the stack is empty"))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value>, PickleError> {
        let mark = self.stack.iter().rposition(|value| *value == Value::Mark);
        let mark = mark.ok_or_else(|| self.malformed("no mark"))?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_dict_is_read() {
        // pickle.dumps({"a": {"b": 7}}, protocol=4)
        let bytes =
            b"\x80\x04\x95\x11\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94}\x94\x8c\x01b\x94K\x07ss.";
        let inner = Value::Dict(vec![("b".into(), Value::Int(7))]);
        assert_eq!(read(bytes), Ok(Value::Dict(vec![("a".into(), inner)])));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = b"\x80\x04}\x94\x8c\x01a\x94}\x94\x8c\x01b\x94K\x07ss.";
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "{len} bytes were accepted");
        }
    }

    #[test]
    fn an_instruction_that_parameters_never_use_is_refused() {
        // 'i' calls a function by its name from the text: the classic way to run code.
        let error = read(b"\x80\x04(ios\nsystem\n.").unwrap_err();
        assert_eq!(error, PickleError::UnknownOpcode { opcode: b'i', at: 3 });
    }

    #[test]
    fn a_function_is_a_name_and_a_call_of_it_is_not_made() {
        let arguments = Value::Tuple(vec![Value::Text("true".to_owned())]);
        let call = Value::Call {
            function: Box::new(Value::Global("os.system".to_owned())),
            arguments: Box::new(arguments),
            state: None,
        };
        assert_eq!(read(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."), Ok(call));
    }
}
