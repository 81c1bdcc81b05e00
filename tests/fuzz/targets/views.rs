//! The boundary: trees of values to the wire, into the kit's types, and through Lua and back.

#![no_main]

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Unstructured};
use assay_fuzz::{Lua, with_view};
use assay_plugin::{Buf, Error, Value, View, from_view};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;

#[derive(Debug)]
struct Tree(Value);

impl<'a> Arbitrary<'a> for Tree {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        tree(u, 0).map(Self)
    }
}

fn tree(u: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Value> {
    if depth > 260 {
        return Ok(Value::Nil);
    }
    Ok(match u.int_in_range(0..=10)? {
        0 => Value::Nil,
        1 => Value::Null,
        2 => Value::Bool(u.arbitrary()?),
        3 => Value::Int(u.arbitrary()?),
        4 => Value::Float(u.arbitrary()?),
        5 => Value::Bytes(u.arbitrary()?),
        6 => Value::Buf(Buf::new(u.arbitrary()?)),
        7 => Value::List(
            (0..u.int_in_range(0..=4)?)
                .map(|_| tree(u, depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        8 => Value::Map(
            (0..u.int_in_range(0..=4)?)
                .map(|_| Ok((tree(u, depth + 1)?, tree(u, depth + 1)?)))
                .collect::<Result<_, _>>()?,
        ),
        // As options have it.
        9 => Value::Map(vec![(
            Value::from(*u.choose(&["number", "text", "list", "nested", "choice", "kept"])?),
            tree(u, depth + 1)?,
        )]),
        // Deep at the price of a byte.
        _ => {
            let levels = usize::from(u.arbitrary::<u8>()?);
            (0..levels).fold(tree(u, depth + levels)?, |value, _| {
                Value::List(vec![value])
            })
        }
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Options {
    number: Option<u16>,
    text: Option<String>,
    list: Option<Vec<f64>>,
    nested: Option<Box<Options>>,
    choice: Option<Choice>,
    kept: Option<Value>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
enum Choice {
    Unit,
    One(i64),
    Named { a: bool },
}

#[derive(Deserialize)]
#[serde(untagged)]
#[allow(dead_code)]
enum Either {
    Number(f64),
    Text(String),
    Many(Vec<Either>),
    Named(BTreeMap<String, Either>),
}

thread_local!(static LUA: Lua = Lua::new("
local value = ...
local held = { value }
return held[1]
"));

fn contained<T>(result: Result<T, Error>) {
    if let Err(error) = result {
        assert!(!["panic", "internal"].contains(&error.kind()), "{error:?}");
    }
}

fuzz_target!(|tree: Tree| {
    let seen = with_view(&tree.0, |view| {
        if let Ok(copy) = view.to_value() {
            // As text, since NaN is not itself.
            assert_eq!(format!("{copy:?}"), format!("{:?}", tree.0));
        }
        read(view);
    });
    if let Err(error) = seen {
        return assert_eq!(error.kind(), "depth");
    }
    // Through Lua once may drop nils and order; a second time changes nothing.
    LUA.with(|lua| {
        let Ok(once) = lua.try_call((tree.0,)) else {
            return;
        };
        let twice = lua.call((once.clone(),));
        assert_eq!(sorted(&twice), sorted(&once));
    });
});

fn read(view: View<'_>) {
    contained(from_view::<Options>(view));
    contained(from_view::<Vec<Options>>(view));
    contained(from_view::<BTreeMap<String, Value>>(view));
    contained(from_view::<Either>(view));
    contained(from_view::<(i64, Option<String>)>(view));
}

/// As text, maps by key: Lua's tables have no order.
fn sorted(value: &Value) -> String {
    match value {
        Value::List(items) if items.is_empty() => "{}".into(),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(sorted).collect();
            format!("[{}]", items.join(","))
        }
        Value::Map(pairs) if pairs.is_empty() => "{}".into(),
        Value::Map(pairs) => {
            let pairs = pairs.iter();
            let mut pairs: Vec<_> = pairs
                .map(|(key, value)| format!("{}={}", sorted(key), sorted(value)))
                .collect();
            pairs.sort();
            format!("{{{}}}", pairs.join(","))
        }
        // A long string comes back as a buffer.
        Value::Buf(buf) => format!("{:?}", Value::Bytes(buf.to_vec())),
        other => format!("{other:?}"),
    }
}
