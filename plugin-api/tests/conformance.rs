//! The conformance plugin, in C, called by the kit's host: neither side knows of the other but what
//! the header says. The runtime's own tests load it from a file.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;
use std::sync::OnceLock;

use assay_plugin::abi::PluginDecl;
use assay_plugin::test::Host;
use assay_plugin::{AnyObject, Buf, Bytes, Error, Value};

use crate::header::{compile_to, scratch};
use crate::kit::{FakeFunc, Handle};

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, symbol: *const c_char) -> *mut c_void;
}

fn host() -> Host {
    static PLUGIN: OnceLock<&PluginDecl> = OnceLock::new();
    Host::new(PLUGIN.get_or_init(|| {
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/plugins/conformance.c");
        let library = scratch("conformance").join("conformance-1.0.0.so");
        compile_to(&source, &library, &["-shared", "-fPIC", "-pthread"]);
        let library = CString::new(library.to_str().unwrap()).unwrap();
        // SAFETY: a plugin that was just built; RTLD_NOW; never unloaded.
        unsafe {
            let library = dlopen(library.as_ptr(), 2);
            assert!(!library.is_null(), "dlopen");
            let plugin = dlsym(library, c"assay_plugin_v1_conformance".as_ptr());
            assert!(!plugin.is_null(), "dlsym");
            &*plugin.cast::<PluginDecl>()
        }
    }))
}

fn live(host: &Host) -> i64 {
    host.call("live", ()).unwrap()
}

/// One test, since what is alive is counted for the whole plugin.
#[test]
fn conformance() {
    let host = host();
    let before = live(&host);

    values(&host);
    errors(&host);
    objects(&host);
    tasks(&host);
    functions(&host);
    streams(&host);
    what_the_host_lacks(&host);

    let start = std::time::Instant::now();
    while live(&host) != before {
        assert!(
            start.elapsed().as_secs() < 10,
            "{} are still alive",
            live(&host) - before
        );
        std::thread::yield_now();
    }
}

fn values(host: &Host) {
    let value = Value::List(vec![
        Value::Nil,
        Value::Null,
        Value::Bool(true),
        Value::Int(i64::MIN),
        Value::Float(0.5),
        Value::Bytes(b"a\0\xff".to_vec()),
        Value::Map(vec![
            (Value::Int(7), Value::List(vec![])),
            ("k".into(), Value::Map(vec![])),
        ]),
        Value::Buf(Buf::new(b"block".to_vec())),
    ]);
    for function in ["echo", "__call"] {
        assert_eq!(
            host.call::<Value>(function, (value.clone(),)).unwrap(),
            value
        );
    }
    let Value::List(tags) = host.call("tags", (1, 0.5, "x", (), true, value)).unwrap() else {
        panic!()
    };
    assert_eq!(tags, [2, 3, 4, 0, 1, 5].map(Value::Int));

    let values: Value = host.call("values", ()).unwrap();
    assert_eq!(values.get("yes"), Some(&Value::Bool(true)));
    assert_eq!(values.get("int"), Some(&Value::Int(i64::MIN)));
    assert_eq!(values.get("float"), Some(&Value::Float(0.1)));
    assert_eq!(
        values.get("string"),
        Some(&Value::Bytes(b"a\0b\xff".to_vec()))
    );
    assert_eq!(values.get("empty"), Some(&"".into()));
    assert_eq!(values.get("null"), Some(&Value::Null));
    assert_eq!(values.get("no_items"), Some(&Value::List(vec![])));
    assert_eq!(values.get("no_pairs"), Some(&Value::Map(vec![])));
    assert_eq!(host.call::<Value>("nothing", ()).unwrap(), Value::Nil);

    let buffer: Buf = host.call("buffer", (300,)).unwrap();
    assert_eq!((buffer.len(), buffer[255], buffer[256]), (300, 255, 0));
    assert_eq!(host.call::<Bytes>("echo", (buffer,)).unwrap().0.len(), 300);

    let error = host.call::<Value>("unknown_tag", ()).unwrap_err();
    assert_eq!(error.message(), "a value of unknown tag 99");
}

fn errors(host: &Host) {
    let error = host
        .call::<Value>("fail", ("teapot", "short", "stout"))
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.message(), error.hint_text()),
        ("teapot", "short", Some("stout"))
    );
    let error = host.call::<Value>("fail", ("teapot", "short")).unwrap_err();
    assert_eq!(error.hint_text(), None);
    assert!(host.call::<Value>("fail_with", ("text",)).is_err());
    assert!(host.call::<Value>("fail_silently", ()).is_err());
}

fn objects(host: &Host) {
    let counter: AnyObject = host.call("counter", (40,)).unwrap();
    assert_eq!(counter.type_name(), "conformance.Counter");
    assert_eq!(host.method::<i64>(&counter, "add", ()).unwrap(), 41);
    assert_eq!(host.method::<i64>(&counter, "__call", (1,)).unwrap(), 42);
    assert_eq!(host.method::<i64>(&counter, "__len", ()).unwrap(), 42);
    assert_eq!(
        host.method::<i64>(&counter, "__index", ("double",))
            .unwrap(),
        84
    );
    assert_eq!(
        host.method::<String>(&counter, "__tostring", ()).unwrap(),
        "Counter(42)"
    );
    host.method::<()>(&counter, "__close", ()).unwrap();
    assert!(host.method::<bool>(&counter, "is_closed", ()).unwrap());
    let again: AnyObject = host.call("echo", (counter.clone(),)).unwrap();
    assert_eq!(again, counter);

    let point: Value = host.call("point", (3, 4)).unwrap();
    assert_eq!(point.get("y"), Some(&Value::Int(4)));
}

fn tasks(host: &Host) {
    for _ in 0..20 {
        assert_eq!(host.call::<String>("later", (1, "x")).unwrap(), "x");
    }
    assert_eq!(host.call::<i64>("at_once", (7,)).unwrap(), 7);
}

fn functions(host: &Host) {
    let func = FakeFunc::new(|args| match args {
        [Value::Int(0)] => Err(Error::new("refused", "not zero")),
        args => Ok(Value::List(args.to_vec())),
    });
    let both = Value::List(vec![Value::Int(1), "x".into()]);
    for function in ["call", "call_from_thread", "call_now"] {
        assert_eq!(
            host.call::<Value>(function, (Handle(&func), 1, "x"))
                .unwrap(),
            both,
            "{function}"
        );
        let error = host
            .call::<Value>(function, (Handle(&func), 0))
            .unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            ("refused", "not zero"),
            "{function}"
        );
    }
    let error = host.call::<Value>("call", ("no function",)).unwrap_err();
    assert_eq!(error.message(), "argument 1: expected a function");
    let keeper: AnyObject = host.call("keep", (Handle(&func),)).unwrap();
    assert!(matches!(
        host.method::<Value>(&keeper, "get", ()),
        Ok(Value::Func(_))
    ));
    drop(keeper);
    func.settle();
    func.hold();
    let error = host
        .call::<Value>("call_cancelled", (Handle(&func), 1))
        .unwrap_err();
    assert_eq!(error.kind(), "cancelled");
    func.settle();
}

fn streams(host: &Host) {
    let stream: AnyObject = host.call("stream", (1000,)).unwrap();
    let mut all = Vec::new();
    while let Some(Bytes(part)) = host.method(&stream, "read", (64,)).unwrap() {
        assert!((1..=64).contains(&part.len()));
        all.extend(part);
    }
    assert_eq!(all, (0..1000).map(|at| at as u8).collect::<Vec<_>>());
    assert_eq!(
        host.method::<Value>(&stream, "read", (64,)).unwrap(),
        Value::Nil
    );
    assert!(host.method::<Value>(&stream, "read", (0,)).is_err());
}

fn what_the_host_lacks(host: &Host) {
    for (function, args) in [
        ("sleep", vec![Value::Int(1)]),
        ("spawn", vec![Value::Int(1)]),
        ("pipe", vec![]),
    ] {
        assert_eq!(
            host.call::<Value>(function, args).unwrap_err().kind(),
            "abi"
        );
    }
    assert!(!host.call::<bool>("service", ("assay.reactor/1",)).unwrap());
    host.call::<()>(
        "log",
        (1, "message", Value::Map(vec![("k".into(), Value::Int(1))])),
    )
    .unwrap();
    assert!(
        host.call::<bool>("allowed", ("net.connect", "db:5432"))
            .unwrap()
    );
    host.deny("net.connect");
    assert!(
        !host
            .call::<bool>("allowed", ("net.connect", "db:5432"))
            .unwrap()
    );
    assert_ne!(host.call::<i64>("vm", ()).unwrap(), 0);
}
