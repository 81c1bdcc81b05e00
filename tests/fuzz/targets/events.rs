//! Server-sent events: however a stream is cut, it is the same events.

#![no_main]

use assay_http::fuzzing;
use assay_plugin::Value;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (cuts, stream) = input;
    let whole = fuzzing::events(&[stream]);
    let mut pieces = Vec::new();
    let mut rest = stream;
    for cut in cuts {
        let (piece, after) = rest.split_at(usize::from(cut).min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    assert_eq!(fuzzing::events(&pieces), whole);
    for event in &whole {
        let data = event.get("data");
        let Some(Value::Bytes(data)) = data else {
            panic!("{event:?}");
        };
        assert!(!data.contains(&b'\r'), "{event:?}");
    }
});
