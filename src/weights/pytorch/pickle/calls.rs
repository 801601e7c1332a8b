//! The functions that a pickle may name, and what they would do.

use super::{Function, Machine, Object, Outcome, Value, damaged, foreign};
use crate::weights::pytorch::view::{Element, Storage, View};

impl Machine<'_> {
    pub(super) fn global(&mut self, code: u8) -> Outcome<()> {
        let (module, name) = if code == b'c' {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (self.object(module), self.object(name)) {
                (Some(Object::Text(module)), Some(Object::Text(name))) => (module.clone(), name.clone()),
                _ => return Err(damaged("a function without a name", "a whole pickle")),
            }
        };
        let object = match (module.as_str(), name.as_str()) {
            ("collections", "OrderedDict") => Object::Function(Function::OrderedDict),
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Object::Function(Function::Tensor),
            ("torch._utils", "_rebuild_parameter") | ("torch.nn.parameter", "Parameter") => {
                Object::Function(Function::Parameter)
            }
            ("torch", storage) if let Some(element) = Element::of_storage(storage) => Object::StorageType(element),
            _ => return Err(foreign(format!("a pickle that asks for {module}.{name}, which is not run"))),
        };
        self.push(object);
        Ok(())
    }

    fn line(&mut self) -> Outcome<String> {
        let rest = &self.bytes[self.at..];
        // No name is longer; a pickle without a line's end must not be searched again and again.
        let end = rest.iter().take(1024).position(|&byte| byte == b'\n');
        let end = end.ok_or_else(|| damaged("the name of a function without an end", "a whole pickle"))?;
        self.at += end + 1;
        Ok(String::from_utf8_lossy(&rest[..end]).into_owned())
    }

    pub(super) fn call(&mut self) -> Outcome<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Some(&Object::Function(function)) = self.object(function) else {
            return Err(foreign("a pickle that calls what is no function"));
        };
        let arguments = self.tuple(arguments)?;
        match function {
            Function::OrderedDict => {
                let pairs = self.items(&arguments)?;
                self.push(Object::Dict(pairs));
            }
            Function::Tensor => {
                let view = self.view(&arguments)?;
                self.push(Object::Tensor(view));
            }
            Function::Parameter => match arguments.first() {
                Some(&tensor) if matches!(self.object(tensor), Some(Object::Tensor(_))) => self.stack.push(tensor),
                _ => return Err(damaged("a parameter without a tensor", "a whole pickle")),
            },
        }
        Ok(())
    }

    /// The pairs that Python 2 hands to a new dictionary; Python 3 fills it afterwards.
    fn items(&self, arguments: &[Value]) -> Outcome<Vec<(Value, Value)>> {
        let wrong = || damaged("a dictionary of something else than pairs", "pairs");
        let list = match arguments {
            [] => return Ok(vec![]),
            [list] => match self.object(*list) {
                Some(Object::List(items)) => items,
                _ => return Err(wrong()),
            },
            _ => return Err(wrong()),
        };
        let pair = |&item: &Value| match self.object(item) {
            Some(Object::List(pair) | Object::Tuple(pair)) if pair.len() == 2 => Ok((pair[0], pair[1])),
            _ => Err(wrong()),
        };
        list.iter().map(pair).collect()
    }

    fn view(&self, arguments: &[Value]) -> Outcome<View> {
        let &[storage, offset, shape, strides, ..] = arguments else {
            return Err(damaged("a tensor without storage, offset, shape and strides", "all four"));
        };
        let Some(Object::Storage(storage)) = self.object(storage) else {
            return Err(damaged("a tensor without a storage", "a storage"));
        };
        let size = |value: Value| match value {
            Value::Int(size) => usize::try_from(size).ok(),
            _ => None,
        };
        let sizes = |values: Value| {
            self.tuple(values)?
                .into_iter()
                .map(size)
                .collect::<Option<Vec<_>>>()
                .map_or_else(|| Err(damaged("a tensor whose shape or strides are no sizes", "integers from 0")), Ok)
        };
        let offset = size(offset).ok_or_else(|| damaged("a tensor at a negative offset", "an offset from 0"))?;
        View::new(storage.clone(), offset, sizes(shape)?, sizes(strides)?)
            .map_err(|found| damaged(found, "tensors that lie inside of their storage"))
    }

    /// The state of an object after its making: of tensors and dictionaries nothing of it is needed.
    pub(super) fn build(&mut self) -> Outcome<()> {
        self.pop()?;
        match self.object(self.top()?) {
            Some(Object::Dict(_) | Object::Tensor(_)) => Ok(()),
            _ => Err(foreign("a pickle that sets the state of an unknown object")),
        }
    }

    /// `('storage', type, key, device, count)`, and in legacy files a part of another storage or nothing.
    pub(super) fn storage(&mut self) -> Outcome<()> {
        let id = self.pop()?;
        let fields = self.tuple(id)?;
        let field = |i: usize| fields.get(i).copied().unwrap_or(Value::None);
        let text = |i: usize| match self.object(field(i)) {
            Some(Object::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let count = match field(4) {
            Value::Int(count) => usize::try_from(count).ok(),
            _ => None,
        };
        if field(5) != Value::None {
            return Err(foreign("a storage that is a part of another, as PyTorch before 0.4 wrote them"));
        }
        let storage = match (text(0), self.object(field(1)), text(2), count) {
            (Some("storage"), Some(&Object::StorageType(element)), Some(key), Some(count)) => {
                Storage { key: key.to_owned(), element, count }
            }
            _ => return Err(damaged("a storage without type, key and count", "all three")),
        };
        self.push(Object::Storage(storage));
        Ok(())
    }
}
