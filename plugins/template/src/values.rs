//! Between Lua values and the engine's.
//!
//! Lists are sequences (from 0 on, as in Jinja2), other tables are maps in the order of their keys,
//! `json.null` is `none`, and functions can be called.

use std::fmt;
use std::sync::Arc;

use assay_plugin::{Error, Func, Kind, MAX_DEPTH, OwnedArg, Result, Value as Lua, View};
use minijinja::value::{Object, ObjectRepr, Value, ValueKind};
use minijinja::{ErrorKind, State};

use crate::failure::Raised;
use crate::text;

/// A Lua value for a template. Tables are as deep as the host lets pass.
pub fn from_lua(view: View<'_>) -> Result<Value> {
    Ok(match view.kind()? {
        Kind::Nil | Kind::Null => Value::from(()),
        Kind::Bool(bool) => bool.into(),
        Kind::Int(int) => int.into(),
        Kind::Float(float) => float.into(),
        Kind::Str(bytes) => text::from_bytes(bytes).into(),
        Kind::Buf(buf) => text::from_bytes(&buf).into(),
        Kind::List(items) => items
            .enumerate()
            .map(|(at, item)| {
                from_lua(item).map_err(|error| error.context(format_args!("[{}]", at + 1)))
            })
            .collect::<Result<Value>>()?,
        Kind::Map(pairs) | Kind::Error(pairs) => {
            let mut map = pairs
                .map(|(key, value)| {
                    let key = from_lua(key)?;
                    let value = from_lua(value).map_err(|error| error.context(&key))?;
                    Ok((key, value))
                })
                .collect::<Result<Vec<(Value, Value)>>>()?;
            map.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::from_pairs(map)
        }
        Kind::Func(func) => Value::from_object(Function(func)),
        Kind::Object(object) => {
            let name = object.type_name();
            return Err(Error::argument(format!("a {name} cannot be rendered")));
        }
    })
}

/// What a Lua function answered.
struct Answer(Value);

impl OwnedArg for Answer {
    fn from_view(view: Option<View<'_>>) -> Result<Self> {
        view.map_or(Ok(Value::from(())), from_lua).map(Answer)
    }
}

/// Calls a Lua function with what a template passes: keyword arguments are a last table.
pub fn call(func: &Func, args: &[Value]) -> Result<Value, minijinja::Error> {
    let mut lua = Vec::with_capacity(args.len());
    for value in args {
        lua.push(to_lua(value, 0)?);
    }
    func.call_now(lua)
        .map(|Answer(value)| value)
        .map_err(Raised::wrap)
}

/// A template's value for a Lua function. What is undefined or none is nil, so that `value or
/// default` works; between the items of a list, where nil would end it, none stays `json.null`.
fn to_lua(value: &Value, depth: usize) -> Result<Lua, minijinja::Error> {
    let wrong = |what: String| minijinja::Error::new(ErrorKind::InvalidOperation, what);
    if depth > MAX_DEPTH {
        return Err(wrong(format!("a value nested deeper than {MAX_DEPTH}")));
    }
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Lua::Nil,
        ValueKind::Bool => Lua::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => match value.as_i64() {
            Some(int) => Lua::Int(int),
            None => return Err(wrong(format!("{value} does not fit a Lua integer"))),
        },
        ValueKind::Number => Lua::Float(f64::try_from(value.clone())?),
        ValueKind::Seq | ValueKind::Iterable => {
            let mut items = Vec::new();
            for item in value.try_iter()?.checked() {
                items.push(match to_lua(&item?, depth + 1)? {
                    Lua::Nil => Lua::Null,
                    item => item,
                });
            }
            Lua::List(items)
        }
        ValueKind::Map => {
            let mut pairs = Vec::new();
            for key in value.try_iter()?.checked() {
                let key = key?;
                let item = to_lua(&value.get_item(&key)?, depth + 1)?;
                if item != Lua::Nil {
                    pairs.push((to_lua(&key, depth + 1)?, item));
                }
            }
            Lua::Map(pairs)
        }
        _ => match value.downcast_object_ref::<Function>() {
            Some(Function(func)) => Lua::Func(func.clone()),
            None => Lua::Bytes(text::to_bytes(&value.to_string()).into_owned()),
        },
    })
}

/// A Lua function among the variables.
struct Function(Func);

impl Object for Function {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        args: &[Value],
    ) -> Result<Value, minijinja::Error> {
        call(&self.0, args)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("function")
    }
}
