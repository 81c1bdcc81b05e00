//! What the http family reads before anything is sent, and of what came: queries, headers, URLs.

#![no_main]

use assay_fuzz::with_view;
use assay_http::fuzzing;
use assay_plugin::{Value, View};
use libfuzzer_sys::fuzz_target;

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

fn map(pairs: &Pairs) -> Value {
    let pairs = pairs.iter();
    Value::Map(
        pairs
            .map(|(key, value)| (Value::Bytes(key.clone()), Value::Bytes(value.clone())))
            .collect(),
    )
}

fuzz_target!(|input: (String, Pairs, Pairs, Vec<u8>)| {
    let (url, query, headers, body) = input;
    with_view(&map(&query), |table| check_query(&url, &query, table)).expect("a flat table");
    with_view(&map(&headers), |table| drop(fuzzing::headers(table))).expect("a flat table");
    if let Ok(value) = fuzzing::json(&body) {
        let once = with_view(&value, fuzzing::to_json)
            .expect("what was read is not deep")
            .expect("what was read can be written");
        let again = fuzzing::json(&once).expect("what we wrote");
        let twice = with_view(&again, fuzzing::to_json).expect("as before");
        assert_eq!(twice.expect("as before"), once);
    }
});

/// What was encoded decodes to itself, also at the end of a URL.
fn check_query(url: &str, query: &Pairs, table: View<'_>) {
    let encoded = fuzzing::query(table).expect("names and texts");
    assert!(
        encoded.bytes().all(|byte| byte.is_ascii_graphic()),
        "{encoded}"
    );
    let Value::Map(decoded) = fuzzing::decode(&encoded) else {
        panic!("{encoded}");
    };
    for (key, value) in query {
        let (key, value) = (Value::Bytes(key.clone()), Value::Bytes(value.clone()));
        let found = decoded.iter().find(|(known, _)| *known == key);
        let has = found.is_some_and(|(_, found)| match found {
            Value::List(values) => values.contains(&value),
            found => *found == value,
        });
        assert!(has, "{key:?} of {encoded}");
    }
    fuzzing::decode(url);
    drop(fuzzing::url(url, table));
}
