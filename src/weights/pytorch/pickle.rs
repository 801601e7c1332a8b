//! An interpreter of the part of pickle that tensors need. It calls nothing: of the functions that a pickle may name it
//! knows those that make tensors, and what they would do is written down here; any other name is refused.
//!
//! Values that hold others live in one list and refer to each other by index: copies cost nothing, cycles do no harm,
//! and memory grows with the length of the pickle only.

use std::collections::HashMap;

use super::view::{Element, Storage, View};

mod calls;

/// Why a pickle is refused.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) found: String,
    pub(super) expected: &'static str,
    pub(super) hint: &'static str,
}

type Outcome<T> = Result<T, Refused>;

/// A value; those that hold others are objects of their [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Object(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Object {
    Text(String),
    /// An integer of more than 64 bits, little-endian.
    Long(Vec<u8>),
    Bytes,
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    Function(Function),
    StorageType(Element),
    Storage(Storage),
    Tensor(View),
}

/// What a pickle may call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    OrderedDict,
    /// `(storage, offset, shape, strides, ...)`.
    Tensor,
    /// `(tensor, ...)`.
    Parameter,
}

const DAMAGED: &str = "Was it downloaded or copied completely?";
const ONLY_WEIGHTS: &str = "In Python, save the weights alone: torch.save(model.state_dict(), FILE).";

fn damaged(found: impl Into<String>, expected: &'static str) -> Refused {
    Refused { found: found.into(), expected, hint: DAMAGED }
}

fn foreign(found: impl Into<String>) -> Refused {
    Refused { found: found.into(), expected: "nothing but tensors in dictionaries", hint: ONLY_WEIGHTS }
}

/// A pickle, read.
#[derive(Debug)]
pub(super) struct Pickle {
    objects: Vec<Object>,
    pub(super) root: Value,
    /// Its length in bytes.
    pub(super) length: usize,
}

impl Pickle {
    /// Reads the pickle that `bytes` begins with.
    pub(super) fn read(bytes: &[u8]) -> Outcome<Pickle> {
        let mut machine = Machine::new(bytes);
        let root = machine.run()?;
        Ok(Pickle { objects: machine.objects, root, length: machine.at })
    }

    pub(super) fn object(&self, value: Value) -> Option<&Object> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    /// The storages that its tensors read.
    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage> {
        self.objects.iter().filter_map(|object| match object {
            Object::Storage(storage) => Some(storage),
            _ => None,
        })
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<usize, Value>,
    objects: Vec<Object>,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Machine<'a> {
        Machine { bytes, at: 0, stack: vec![], marks: vec![], memo: HashMap::new(), objects: vec![] }
    }

    fn run(&mut self) -> Outcome<Value> {
        loop {
            let [code] = self.array()?;
            match code {
                b'.' => return self.pop(),
                0x80 => drop(self.array::<1>()?),
                0x95 => drop(self.array::<8>()?),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.pop_to_mark()?),
                b'2' => self.stack.push(self.top()?),
                b'N' | 0x88 | 0x89 | b'K' | b'M' | b'J' | b'G' | 0x8a | 0x8b => self.number(code)?,
                b'T' | b'U' | b'X' | 0x8c | 0x8d | b'B' | b'C' | 0x8e => self.text(code)?,
                b'q' | b'r' | 0x94 | b'h' | b'j' => self.memory(code)?,
                b']' | b'}' | b')' | b't' | b'l' | b'd' | 0x85..=0x87 => self.collection(code)?,
                b'a' | b'e' | b's' | b'u' => self.fill(code)?,
                b'c' | 0x93 => self.global(code)?,
                b'R' => self.call()?,
                b'b' => self.build()?,
                b'Q' => self.storage()?,
                other => return Err(foreign(format!("pickle instruction {other:#04x} at byte {}", self.at - 1))),
            }
        }
    }

    fn take(&mut self, length: usize) -> Outcome<&'a [u8]> {
        let end = self.at.checked_add(length).filter(|&end| end <= self.bytes.len());
        let end =
            end.ok_or_else(|| damaged(format!("the end inside of a pickle, at byte {}", self.at), "more bytes"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// A length of `N` bytes.
    fn length<const N: usize>(&mut self) -> Outcome<usize> {
        let mut wide = [0; 8];
        wide[..N].copy_from_slice(self.take(N)?);
        usize::try_from(u64::from_le_bytes(wide)).map_err(|_| damaged("an impossible length", "a length of this file"))
    }

    fn push(&mut self, object: Object) {
        self.objects.push(object);
        self.stack.push(Value::Object(self.objects.len() - 1));
    }

    fn top(&self) -> Outcome<Value> {
        let bottom = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.last().filter(|_| self.stack.len() > bottom);
        top.copied().ok_or_else(|| damaged("a pickle that uses what is not there", "a whole pickle"))
    }

    fn pop(&mut self) -> Outcome<Value> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Outcome<Vec<Value>> {
        match self.marks.pop() {
            Some(height) => Ok(self.stack.split_off(height)),
            None => Err(damaged("a pickle without a mark where it needs one", "a whole pickle")),
        }
    }

    fn object(&self, value: Value) -> Option<&Object> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }

    /// What a tuple holds.
    fn tuple(&self, value: Value) -> Outcome<Vec<Value>> {
        match self.object(value) {
            Some(Object::Tuple(values)) => Ok(values.clone()),
            _ => Err(damaged("arguments that are no tuple", "a tuple")),
        }
    }

    fn number(&mut self, code: u8) -> Outcome<()> {
        let value = match code {
            b'N' => Value::None,
            0x88 | 0x89 => Value::Bool(code == 0x88),
            b'K' => Value::Int(self.array::<1>()?[0].into()),
            b'M' => Value::Int(u16::from_le_bytes(self.array()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(self.array()?).into()),
            b'G' => Value::Float(f64::from_be_bytes(self.array()?)),
            _ => {
                let length = if code == 0x8a { self.length::<1>()? } else { self.length::<4>()? };
                return self.long(length);
            }
        };
        self.stack.push(value);
        Ok(())
    }

    /// A little-endian integer in two's complement.
    fn long(&mut self, length: usize) -> Outcome<()> {
        let bytes = self.take(length)?;
        if bytes.len() > 8 {
            self.push(Object::Long(bytes.to_vec()));
            return Ok(());
        }
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        self.stack.push(Value::Int(i64::from_le_bytes(wide)));
        Ok(())
    }

    fn text(&mut self, code: u8) -> Outcome<()> {
        let length = match code {
            b'U' | b'C' | 0x8c => self.length::<1>()?,
            0x8d | 0x8e => self.length::<8>()?,
            _ => self.length::<4>()?,
        };
        let bytes = self.take(length)?;
        self.push(match code {
            b'B' | b'C' | 0x8e => Object::Bytes,
            // Python 2 wrote its strings as they were.
            _ => Object::Text(String::from_utf8_lossy(bytes).into_owned()),
        });
        Ok(())
    }

    fn memory(&mut self, code: u8) -> Outcome<()> {
        let place = match code {
            b'q' | b'h' => self.length::<1>()?,
            b'r' | b'j' => self.length::<4>()?,
            _ => self.memo.len(),
        };
        if code == b'h' || code == b'j' {
            let value = self.memo.get(&place).copied();
            self.stack
                .push(value.ok_or_else(|| damaged(format!("a reference to nothing ({place})"), "a whole pickle"))?);
        } else {
            self.memo.insert(place, self.top()?);
        }
        Ok(())
    }

    fn collection(&mut self, code: u8) -> Outcome<()> {
        let object = match code {
            b']' => Object::List(vec![]),
            b'}' => Object::Dict(vec![]),
            b')' => Object::Tuple(vec![]),
            b't' => Object::Tuple(self.pop_to_mark()?),
            b'l' => Object::List(self.pop_to_mark()?),
            b'd' => Object::Dict(pairs(&self.pop_to_mark()?)?),
            _ => {
                let mut values = (0x85..=code).map(|_| self.pop()).collect::<Outcome<Vec<_>>>()?;
                values.reverse();
                Object::Tuple(values)
            }
        };
        self.push(object);
        Ok(())
    }

    /// Adds what lies on the stack to the list or dictionary below it.
    fn fill(&mut self, code: u8) -> Outcome<()> {
        let values = match code {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        let target = self.top()?;
        let Value::Object(index) = target else {
            return Err(damaged("a value that is filled", "a list or a dictionary"));
        };
        match (&mut self.objects[index], code) {
            (Object::List(list), b'a' | b'e') => list.extend(values),
            (Object::Dict(dict), b's' | b'u') => dict.extend(pairs(&values)?),
            _ => return Err(damaged("an object that is filled", "a list or a dictionary")),
        }
        Ok(())
    }
}

fn pairs(values: &[Value]) -> Outcome<Vec<(Value, Value)>> {
    let (pairs, rest) = values.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(damaged("a key without a value", "pairs"));
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}
