//! `json.parse` against serde_json, and that encoding what was parsed changes nothing.

#![no_main]

use assay_fuzz::Lua;
use assay_plugin::{Bytes, Value};
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;

const SCRIPT: &str = r#"
local text = ...
local parsed, value = pcall(json.parse, text, { null = true })
if not parsed then
  assert.eq(value.kind, "syntax")
  return false, value.message
end
local once = json.encode(value)
local again = json.parse(once, { null = true })
assert.eq(json.encode(again), once)
assert.eq(json.encode(json.parse(json.encode(value, { pretty = true }), { null = true })), once)
return once
"#;

thread_local!(static LUA: Lua = Lua::new(SCRIPT));

fuzz_target!(|data: &[u8]| {
    let ours = LUA.with(|lua| lua.call((Bytes(data.to_vec()),)));
    let theirs = serde_json::from_slice::<Json>(data);
    match (ours, theirs) {
        (Value::Bytes(once), Ok(theirs)) => {
            let ours: Json = serde_json::from_slice(&once).expect("what we encode is JSON");
            assert!(same(&ours, &theirs), "{ours} is not {theirs}");
        }
        // It stops at 128, we at 256.
        (Value::Bytes(_), Err(error)) => assert!(
            error.to_string().contains("recursion limit"),
            "accepted, and serde_json says {error}"
        ),
        // Integers beyond 64 bits, and the float that is infinite, are refused instead of rounded.
        (Value::Bool(false), Ok(theirs)) => {
            assert!(has_large(&theirs, data), "refused, and is {theirs}")
        }
        (Value::Bool(false), Err(_)) => {}
        (other, _) => panic!("{other:?}"),
    }
});

/// Numbers by value: `1.0` and `1` are the same to Lua's reader of integers, `-0` and `0` too.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Whether there is a number that Lua has not. A duplicate key may have hidden it from the tree.
fn has_large(json: &Json, text: &[u8]) -> bool {
    fn in_tree(json: &Json) -> bool {
        match json {
            Json::Number(number) => {
                number.is_u64() && !number.is_i64()
                    || number.as_f64().is_some_and(|float| float.abs() >= 9e18)
            }
            Json::Array(items) => items.iter().any(in_tree),
            Json::Object(members) => members.values().any(in_tree),
            _ => false,
        }
    }
    let digits = text.split(|byte| !byte.is_ascii_digit());
    in_tree(json) || digits.map(<[u8]>::len).max().unwrap_or(0) >= 19
}
