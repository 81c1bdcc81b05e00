//! The kit, as a host sees it: what crosses, what fails, what is freed.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use assay_plugin::abi::{
    self, Call, FnDesc, FuncHdr, FuncVt, Ret, Task, Val, ValU, WakerHdr, WakerVt, tag,
};
use assay_plugin::test::Host;
use assay_plugin::{
    AnyObject, Arena, Buf, Bytes, Cx, De, Error, Func, IntoArgs, IntoVal, Kind, Record, Ref, Rest,
    Result, Ser, Value, View, did_you_mean, object, plugin, record,
};
use serde::{Deserialize, Serialize};

mod family {
    use super::*;

    pub fn echo(value: Value) -> Value {
        value
    }

    pub fn text(text: &str) -> String {
        text.into()
    }

    pub fn bytes(bytes: &[u8]) -> Vec<u8> {
        bytes.into()
    }

    pub fn numbers(small: u16, int: i64, float: f64) -> String {
        format!("{small} {int} {float}")
    }

    pub fn optional(flag: Option<bool>, text: Option<&str>, last: Option<i64>) -> String {
        format!("{flag:?} {text:?} {last:?}")
    }

    pub fn rest(first: &str, rest: Rest<'_>) -> Vec<String> {
        std::iter::once(first)
            .map(Into::into)
            .chain(rest.map(|view| view.type_name().to_owned()))
            .collect()
    }

    pub fn view(view: View<'_>) -> String {
        match view.kind() {
            Ok(Kind::Map(pairs)) => format!(
                "{} pairs, x={:?}",
                pairs.len(),
                view.get("x").and_then(View::as_int)
            ),
            Ok(Kind::List(items)) => format!("{} items", items.len()),
            Ok(_) => view.type_name().into(),
            Err(error) => error.message().into(),
        }
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Options {
        pub timeout: Option<f64>,
        pub retries: Option<u8>,
        pub mode: Option<Mode>,
        #[serde(default)]
        pub headers: BTreeMap<String, String>,
        #[serde(default)]
        pub names: Vec<String>,
        pub nested: Option<Box<Options>>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Mode {
        Fast,
        Slow(i32),
        Both { left: bool, right: bool },
    }

    pub fn options(De(options): De<Options>) -> Ser<Options> {
        Ser(options)
    }

    #[derive(Deserialize)]
    pub struct Handles {
        pub value: Value,
        pub callback: Option<Func>,
        pub body: Buf,
        pub raw: Bytes,
    }

    pub fn handles(De(handles): De<Handles>) -> Value {
        Value::List(vec![
            handles.value,
            handles.callback.map_or(Value::Nil, Value::Func),
            Value::Buf(handles.body),
            Value::Bytes(handles.raw.0),
        ])
    }

    /// A `Deserialize` that panics.
    pub struct Explosive;

    impl<'de> Deserialize<'de> for Explosive {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            panic!("while reading")
        }
    }

    pub fn explosive(_: De<Explosive>) {}

    pub fn too_big() -> u64 {
        u64::MAX
    }

    pub fn fails() -> Result<()> {
        Err(Error::new("teapot", "short and stout")
            .hint("tip me over")
            .status(418))
    }

    pub fn panics(message: &str) {
        panic!("{message}");
    }

    pub fn panics_oddly() {
        struct Odd;
        impl Drop for Odd {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        std::panic::panic_any(Odd);
    }

    pub fn panics_in_result() -> Explosion {
        Explosion
    }

    pub struct Explosion;

    // SAFETY: makes no value at all.
    unsafe impl IntoVal for Explosion {
        fn to_val(&self, _: &mut Arena) -> Result<Val> {
            panic!("while writing")
        }
    }

    pub async fn panics_later() {
        give_way().await;
        panic!("later");
    }

    pub static DROPPED: AtomicUsize = AtomicUsize::new(0);

    pub struct Fragile(pub AtomicI64);

    impl Drop for Fragile {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
            if self.0.load(Ordering::SeqCst) == 13 {
                panic!("thirteen");
            }
        }
    }

    impl Fragile {
        fn add(this: Ref<Fragile>, by: i64) -> i64 {
            this.0.fetch_add(by, Ordering::SeqCst) + by
        }
        fn break_it(_: Ref<Fragile>) {
            panic!("half-way");
        }
        async fn break_later(this: Ref<Fragile>) {
            give_way().await;
            this.0.store(0, Ordering::SeqCst);
            panic!("half-way, later");
        }
        async fn add_later(this: Ref<Fragile>, by: i64) -> i64 {
            give_way().await;
            Self::add(this, by)
        }
        fn forgets_this() {
            panic!("without a look at the object");
        }
    }

    object! {
        /// Breaks.
        Fragile as "kit.Fragile" {
            fn add = "fun(by: integer): integer",
            fn break_it = "fun()",
            async fn break_later = "fun()",
            async fn add_later = "fun(by: integer): integer",
            fn forgets_this = "fun()",
        }
    }

    pub struct Other;
    object! {
        Other as "kit.Other" {}
    }

    pub fn fragile(start: i64) -> Ref<Fragile> {
        Ref::new(Fragile(start.into()))
    }

    pub fn other() -> Ref<Other> {
        Ref::new(Other)
    }

    pub fn takes_fragile(fragile: Ref<Fragile>) -> i64 {
        fragile.0.load(Ordering::SeqCst)
    }

    pub struct Point;

    impl Point {
        fn sum(point: View<'_>) -> Option<i64> {
            Some(point.get("x")?.as_int()? + point.get("y")?.as_int()?)
        }
    }

    record! {
        /// A table with a method.
        Point as "kit.Point" {
            fn sum = "fun(): integer",
        }
    }

    pub fn point(x: i64, y: i64) -> Record<Point> {
        Record::new().field("x", x).field("y", y)
    }

    pub async fn at_once(value: i64) -> i64 {
        value
    }

    /// Woken from another thread.
    pub async fn from_a_thread(value: String) -> String {
        let shared = Arc::new(Mutex::new((None::<Waker>, false)));
        let other = Arc::clone(&shared);
        std::thread::spawn(move || {
            loop {
                let mut shared = other.lock().unwrap();
                if let Some(waker) = shared.0.take() {
                    shared.1 = true;
                    return waker.wake();
                }
            }
        });
        poll_fn(|cx| {
            let mut shared = shared.lock().unwrap();
            if shared.1 {
                return Poll::Ready(());
            }
            shared.0 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
        value
    }

    pub static CANCELLED: AtomicUsize = AtomicUsize::new(0);

    pub async fn forever() {
        struct OnDrop;
        impl Drop for OnDrop {
            fn drop(&mut self) {
                CANCELLED.fetch_add(1, Ordering::SeqCst);
            }
        }
        let _guard = OnDrop;
        pending().await
    }

    pub async fn panics_when_dropped() {
        struct OnDrop;
        impl Drop for OnDrop {
            fn drop(&mut self) {
                panic!("cancelled, and sore about it");
            }
        }
        let _guard = OnDrop;
        pending().await
    }

    pub async fn calls(func: Func, value: Value) -> Result<Value> {
        func.call((value, "more")).await
    }

    pub async fn calls_and_forgets(func: Func) {
        drop(func.call::<Value>(()));
    }

    pub async fn calls_for_an_int(func: Func) -> Result<i64> {
        func.call(()).await
    }

    pub fn calls_now(func: Func, value: Value) -> Result<Value> {
        func.call_now((value,))
    }

    pub fn calls_now_for_explosive(func: Func) -> Result<()> {
        func.call_now::<De<Explosive>>(()).map(|_| ())
    }

    pub fn buffer(len: usize) -> Buf {
        Buf::new((0..len).map(|at| at as u8).collect())
    }

    pub async fn sleeps(cx: Cx) -> Result<()> {
        cx.sleep(Duration::from_secs(1)).await
    }

    pub fn needs(cx: Cx, permission: &str, target: &str) -> Result<()> {
        cx.require(permission, target)
    }

    pub fn needs_address(cx: Cx, host: &str, address: &str) -> Result<()> {
        cx.require_address(host, address.parse().expect("an address"))
    }

    pub async fn give_way() {
        let mut first = true;
        poll_fn(|cx| {
            if std::mem::take(&mut first) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await
    }

    plugin! {
        /// For tests.
        name: "kit",
        permissions: ["net.connect"],
        functions: {
            /// Back.
            fn echo = "fun(value: any): any",
            fn text = "fun(text: string): string",
            fn bytes = "fun(bytes: string): string",
            fn numbers = "fun(small: integer, int: integer, float: number): string",
            fn optional = "fun(flag?: boolean, text?: string, last?: integer): string",
            fn rest = "fun(first: string, ...: any): string[]",
            fn view = "fun(value: any): string",
            fn options = "fun(options: table): table",
            fn handles = "fun(handles: table): any[]",
            fn explosive = "fun(value: any)",
            fn too_big = "fun(): integer",
            fn fails = "fun()",
            fn panics = "fun(message: string)",
            fn panics_oddly = "fun()",
            fn panics_in_result = "fun()",
            async fn panics_later = "fun()",
            fn fragile = "fun(start: integer): kit.Fragile",
            fn other = "fun(): kit.Other",
            fn takes_fragile = "fun(fragile: kit.Fragile): integer",
            fn point = "fun(x: integer, y: integer): kit.Point",
            async fn at_once = "fun(value: integer): integer",
            async fn from_a_thread = "fun(value: string): string",
            async fn forever = "fun()",
            async fn panics_when_dropped = "fun()",
            async fn calls = "fun(func: function, value: any): any",
            async fn calls_and_forgets = "fun(func: function)",
            async fn calls_for_an_int = "fun(func: function): integer",
            fn calls_now = "fun(func: function, value: any): any",
            fn calls_now_for_explosive = "fun(func: function)",
            fn buffer = "fun(len: integer): string",
            async fn sleeps = "fun()",
            fn needs = "fun(permission: string, target: string)",
            fn needs_address = "fun(host: string, address: string)",
        },
        classes: [Fragile, Other, Point],
    }
}

use family::{ASSAY_PLUGIN, CANCELLED, DROPPED};

fn host() -> Host {
    Host::new(&ASSAY_PLUGIN)
}

#[track_caller]
fn fails(function: &str, args: impl IntoArgs) -> Error {
    match host().call::<Value>(function, args) {
        Ok(value) => panic!("{function}: no error, but {value:?}"),
        Err(error) => error,
    }
}

fn table<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(
        pairs
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect(),
    )
}

// ---- Arguments -----------------------------------------------------------------------------------

#[test]
fn arguments() {
    let host = host();
    assert_eq!(host.call::<String>("text", ("a\0b",)).unwrap(), "a\0b");
    assert_eq!(
        host.call::<Vec<u8>>("bytes", (Bytes(vec![0, 255]),))
            .unwrap(),
        [0, 255]
    );
    assert_eq!(
        host.call::<String>("numbers", (65535.0, -1, 3)).unwrap(),
        "65535 -1 3"
    );
    assert_eq!(
        host.call::<String>("optional", ()).unwrap(),
        "None None None"
    );
    assert_eq!(
        host.call::<String>("optional", ((), "x")).unwrap(),
        "None Some(\"x\") None"
    );
    assert_eq!(
        host.call::<String>("optional", (false, (), 7)).unwrap(),
        "Some(false) None Some(7)"
    );
    assert_eq!(
        host.call::<Value>("rest", ("a", 1, true, ())).unwrap(),
        Value::List(vec![
            "a".into(),
            "number".into(),
            "boolean".into(),
            "nil".into()
        ])
    );
    assert_eq!(
        host.call::<String>("view", (table([("x", Value::Int(5))]),))
            .unwrap(),
        "1 pairs, x=Some(5)"
    );
    assert_eq!(host.call::<String>("view", ()).unwrap(), "nil");
    assert_eq!(host.call::<i64>("at_once", (5,)).unwrap(), 5);
}

#[test]
fn argument_errors() {
    for (function, args, message) in [
        ("text", vec![], "argument 1: expected string, got nothing"),
        (
            "text",
            vec![Value::Nil],
            "argument 1: expected string, got nil",
        ),
        (
            "text",
            vec![Value::Int(5)],
            "argument 1: expected string, got number 5",
        ),
        (
            "text",
            vec![Value::Bytes(vec![b'a', 0xff])],
            "argument 1: expected UTF-8 text, got a byte 0xff at offset 1",
        ),
        (
            "numbers",
            vec![Value::Int(-1)],
            "argument 1: expected an integer from 0 to 65535, got -1",
        ),
        (
            "numbers",
            vec![Value::Int(65536)],
            "argument 1: expected an integer from 0 to 65535, got 65536",
        ),
        (
            "numbers",
            vec![Value::Float(1.5)],
            "argument 1: expected an integer, got number 1.5",
        ),
        (
            "numbers",
            vec![Value::Float(f64::NAN)],
            "argument 1: expected an integer, got number NaN",
        ),
        (
            "numbers",
            vec![Value::Int(1), Value::Float(9.3e18)],
            "argument 2: expected an integer, got number 9300000000000000000",
        ),
        (
            "numbers",
            vec![Value::Int(1), "12".into()],
            "argument 2: expected an integer, got string \"12\"",
        ),
        (
            "numbers",
            vec![Value::Int(1), Value::Int(1), Value::Bool(true)],
            "argument 3: expected number, got boolean true",
        ),
        (
            "optional",
            vec![Value::Int(0)],
            "argument 1: expected boolean, got number 0",
        ),
        (
            "optional",
            vec![Value::Nil, Value::Nil, "x".into()],
            "argument 3: expected an integer, got string \"x\"",
        ),
        (
            "calls_now",
            vec![Value::List(vec![])],
            "argument 1: expected function, got table",
        ),
        (
            "takes_fragile",
            vec![Value::Map(vec![])],
            "argument 1: expected kit.Fragile, got table",
        ),
        ("options", vec![], "argument 1: expected table, got nothing"),
        (
            "options",
            vec!["x".into()],
            "argument 1: expected a table, got string \"x\"",
        ),
    ] {
        let error = fails(function, args);
        assert_eq!((error.kind(), error.message()), ("argument", message));
    }
    let other: AnyObject = host().call("other", ()).unwrap();
    assert_eq!(
        fails("takes_fragile", (other,)).message(),
        "argument 1: expected kit.Fragile, got kit.Other"
    );
}

#[test]
fn options() {
    let option = |name, value| table([(name, value)]);
    for (options, message, hint) in [
        (
            option("timeot", Value::Nil),
            "unknown option `timeot`",
            Some("did you mean `timeout`?"),
        ),
        (
            option("zzz", Value::Nil),
            "unknown option `zzz`",
            Some("options are `timeout`, `retries`, `mode`, `headers`, `names`, `nested`"),
        ),
        (
            option("timeout", "soon".into()),
            "option `timeout`: expected a number, got string \"soon\"",
            None,
        ),
        (
            option("retries", Value::Int(256)),
            "option `retries`: expected an integer from 0 to 255, got integer `256`",
            None,
        ),
        (
            option("retries", "x".into()),
            "option `retries`: expected an integer, got string \"x\"",
            None,
        ),
        (
            option("names", "x".into()),
            "option `names`: expected a list, got string \"x\"",
            None,
        ),
        (
            option("names", Value::List(vec!["a".into(), Value::Int(2)])),
            "option `names.2`: expected a string, got number 2",
            None,
        ),
        (
            option("headers", option("accept", Value::Bool(true))),
            "option `headers.accept`: expected a string, got boolean true",
            None,
        ),
        (
            option("headers", option("accept", Value::Bytes(vec![0xff]))),
            "option `headers.accept`: expected UTF-8 text, got other bytes",
            None,
        ),
        (
            option("nested", option("nested", option("retires", Value::Nil))),
            "option `nested.nested`: unknown option `retires`",
            Some("did you mean `retries`?"),
        ),
        (
            option("mode", "quick".into()),
            "option `mode`: expected one of `fast`, `slow`, `both`, got \"quick\"",
            None,
        ),
    ] {
        let error = fails("options", (options,));
        assert_eq!((error.kind(), error.hint_text()), ("argument", hint));
        assert_eq!(error.message(), format!("argument 1: {message}"));
    }
}

#[test]
fn options_round_trip() {
    use family::{Mode, Options};
    let full = Options {
        timeout: Some(1.5),
        retries: Some(3),
        mode: Some(Mode::Slow(-4)),
        headers: BTreeMap::from([("a".into(), "b".into()), ("c".into(), "d".into())]),
        names: vec!["x".into(), "y".into()],
        nested: Some(Box::new(Options {
            mode: Some(Mode::Both {
                left: true,
                right: false,
            }),
            nested: Some(Box::new(Options {
                mode: Some(Mode::Fast),
                ..Options::default()
            })),
            ..Options::default()
        })),
    };
    let host = host();
    let first: De<Options> = host.call("options", (Ser(&full),)).unwrap();
    assert_eq!(first.0, full);
    // Integers where a float is asked for, floats where an integer is; `{}` for either table.
    let loose = table([
        ("timeout", Value::Int(2)),
        ("retries", Value::Float(3.0)),
        ("headers", Value::List(vec![])),
        ("names", Value::Map(vec![])),
        ("nested", Value::Null),
    ]);
    let read: De<Options> = host.call("options", (loose,)).unwrap();
    assert_eq!(
        read.0,
        Options {
            timeout: Some(2.0),
            retries: Some(3),
            ..Options::default()
        }
    );
}

#[test]
fn handles_in_options() {
    let func = FakeFunc::new(|_| Ok(Value::Nil));
    let pairs = Pairs(vec![
        ("value", Box::new(Value::List(vec![Value::Null]))),
        ("callback", Box::new(Handle(&func))),
        ("body", Box::new(Buf::new(b"abc".to_vec()))),
        ("raw", Box::new(Bytes(vec![0xff]))),
    ]);
    let Value::List(items) = host().call("handles", (pairs,)).unwrap() else {
        panic!()
    };
    assert_eq!(items[0], Value::List(vec![Value::Null]));
    assert!(matches!(items[1], Value::Func(_)));
    assert_eq!(items[2], Value::Buf(Buf::new(b"abc".to_vec())));
    assert_eq!(items[3], Value::Bytes(vec![0xff]));
    assert_eq!(func.count(), 2, "ours and the result's");
    drop(items);
    assert_eq!(func.count(), 1);
}

// ---- Values --------------------------------------------------------------------------------------

/// Any value comes back as it went.
#[test]
fn values_round_trip() {
    let host = host();
    let mut random = Random(42);
    for _ in 0..2000 {
        let value = random.value(5);
        assert_eq!(host.call::<Value>("echo", (value.clone(),)).unwrap(), value);
    }
    let nan: f64 = host.call("echo", (f64::NAN,)).unwrap();
    assert!(nan.is_nan());
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(40)).map(|_| self.below(256) as u8).collect()
    }

    fn value(&mut self, depth: u64) -> Value {
        match self.below(if depth == 0 { 7 } else { 9 }) {
            0 => Value::Nil,
            1 => Value::Null,
            2 => Value::Bool(self.below(2) == 1),
            3 => Value::Int([i64::MIN, -1, 0, 1, i64::MAX][self.below(5) as usize]),
            4 => Value::Float([f64::MIN, -0.0, f64::INFINITY, 0.1, 5e-324][self.below(5) as usize]),
            5 => Value::Bytes(self.bytes()),
            6 => Value::Buf(Buf::new(self.bytes())),
            7 => Value::List((0..self.below(6)).map(|_| self.value(depth - 1)).collect()),
            _ => Value::Map(
                (0..self.below(6))
                    .map(|_| (Value::Bytes(self.bytes()), self.value(depth - 1)))
                    .collect(),
            ),
        }
    }
}

#[test]
fn depth_is_bounded() {
    let nested = |depth| (0..depth).fold(Value::Nil, |inner, _| Value::List(vec![inner]));
    let host = host();
    assert!(
        host.call::<Value>("echo", (nested(assay_plugin::MAX_DEPTH - 1),))
            .is_ok()
    );
    let error = host
        .call::<Value>("echo", (nested(assay_plugin::MAX_DEPTH + 1),))
        .unwrap_err();
    assert_eq!(error.kind(), "depth");
    // What a host sends past the kit's own check.
    let error = fails("echo", (Deep(100_000),));
    assert_eq!(
        error.message(),
        "argument 1: a table nested deeper than 200"
    );
    let error = fails("options", (DeepOptions(100_000),));
    assert!(
        error.message().ends_with("a table nested deeper than 200"),
        "{error}"
    );
}

#[test]
fn unknown_tags_are_errors_of_their_value() {
    let host = host();
    assert_eq!(
        host.call::<String>("view", (Tagged(99),)).unwrap(),
        "a value of unknown tag 99"
    );
    let error = fails("echo", (Tagged(99),));
    assert_eq!(error.message(), "argument 1: a value of unknown tag 99");
    assert_eq!(
        fails("text", (Tagged(99),)).message(),
        "argument 1: expected string, got unknown"
    );
    // Elsewhere in the call it does no harm.
    assert_eq!(
        host.call::<Value>("rest", ("a", Tagged(99), 1)).unwrap(),
        Value::List(vec!["a".into(), "unknown".into(), "number".into()])
    );
}

#[test]
fn what_does_not_fit_is_an_error() {
    let error = fails("too_big", ());
    assert_eq!(
        (error.kind(), error.message()),
        ("range", "18446744073709551615 does not fit a Lua integer")
    );
}

#[test]
fn buffers() {
    let host = host();
    let buf: Buf = host.call("buffer", (1000,)).unwrap();
    assert_eq!(buf.len(), 1000);
    assert_eq!(buf[255..258], [255, 0, 1]);
    let again = buf.clone();
    drop(buf);
    // As any string argument.
    assert_eq!(
        host.call::<Vec<u8>>("bytes", (again.clone(),)).unwrap(),
        *again
    );
    assert_eq!(
        host.call::<String>("text", (Buf::new(b"text".to_vec()),))
            .unwrap(),
        "text"
    );
    assert_eq!(host.call::<Buf>("buffer", (0,)).unwrap().len(), 0);
    // The zero behind the end, also without spare capacity.
    let mut arena = Arena::default();
    for len in [0, 1, 15, 16, 4096] {
        let buf = Buf::new(vec![7; len].into_boxed_slice().into_vec());
        let val = buf.to_val(&mut arena).unwrap();
        // SAFETY: a live buffer, which has a zero behind its end.
        unsafe { assert_eq!(*(*val.u.buf).ptr.add(len), 0) };
    }
}

#[test]
fn suggestions() {
    let known = ["timeout", "retries", "headers"];
    for (word, near) in [
        ("timeot", Some("timeout")),
        ("tiemout", Some("timeout")),
        ("header", Some("headers")),
        ("retry", None),
        ("", None),
        ("completely-else", None),
    ] {
        assert_eq!(did_you_mean(word, known), near, "{word}");
    }
}

// ---- Errors and panics ---------------------------------------------------------------------------

#[test]
fn errors() {
    let error = fails("fails", ());
    assert_eq!(
        (error.kind(), error.message(), error.hint_text()),
        ("teapot", "short and stout", Some("tip me over"))
    );
}

#[test]
fn panics_are_errors() {
    let error = fails("panics", ("boom",));
    assert_eq!(error.kind(), "panic");
    assert!(error.message().starts_with("panicked at "), "{error}");
    assert!(error.message().contains("kit.rs:"), "{error}");
    assert!(error.message().ends_with(": boom"), "{error}");
    assert!(error.hint_text().unwrap().contains("report it"));

    assert!(
        fails("panics_oddly", ())
            .message()
            .ends_with(": a panic without a message")
    );
    assert!(
        fails("panics_in_result", ())
            .message()
            .ends_with(": while writing")
    );
    assert!(fails("panics_later", ()).message().ends_with(": later"));
    assert!(
        fails("explosive", (1,))
            .message()
            .ends_with(": while reading")
    );
}

#[test]
fn objects_are_poisoned() {
    let host = host();
    for (breaks, works) in [
        ("break_it", "add"),
        ("break_later", "add"),
        ("break_it", "add_later"),
    ] {
        let object: AnyObject = host.call("fragile", (1,)).unwrap();
        assert_eq!(object.type_name(), "kit.Fragile");
        assert!(object.has(works) && !object.has("nothing"));
        assert_eq!(host.method::<i64>(&object, works, (2,)).unwrap(), 3);
        assert_eq!(
            host.method::<()>(&object, breaks, ()).unwrap_err().kind(),
            "panic"
        );
        let error = host.method::<i64>(&object, works, (2,)).unwrap_err();
        assert_eq!(error.kind(), "panic");
        assert!(
            error
                .message()
                .ends_with("this kit.Fragile is unusable since a call of it panicked"),
            "{error}"
        );
        assert_eq!(
            host.call::<i64>("takes_fragile", (object,))
                .unwrap_err()
                .kind(),
            "panic"
        );
    }
    // A wrong argument is no panic.
    let object: AnyObject = host.call("fragile", (1,)).unwrap();
    assert_eq!(
        host.method::<i64>(&object, "add", ("x",))
            .unwrap_err()
            .kind(),
        "argument"
    );
    assert_eq!(host.method::<i64>(&object, "add", (1,)).unwrap(), 2);
}

/// A script can call a method with an object of another class, even of another plugin: what is
/// behind its header is not ours to write to.
#[test]
fn foreign_objects_are_left_alone() {
    let host = host();
    let foreign = Foreign::new();
    let object: AnyObject = host.call("fragile", (1,)).unwrap();
    let forgets = desc_of(&object, "forgets_this");
    let (status, result) = enter(&forgets, &foreign.header, ());
    assert_eq!(status, abi::ERR);
    assert!(
        result
            .unwrap_err()
            .message()
            .ends_with("without a look at the object")
    );
    let (status, result) = enter(&desc_of(&object, "add"), &foreign.header, (1,));
    assert_eq!(status, abi::ERR);
    assert_eq!(
        result.unwrap_err().message(),
        "expected kit.Fragile, got foreign.Thing"
    );
    assert_eq!(
        foreign.behind, [0xaa; 32],
        "something was written behind a foreign header"
    );
}

#[test]
fn drops() {
    let host = host();
    let before = DROPPED.load(Ordering::SeqCst);
    let object: AnyObject = host.call("fragile", (1,)).unwrap();
    let again = object.clone();
    drop(object);
    assert_eq!(
        host.call::<i64>("takes_fragile", (again.clone(),)).unwrap(),
        1
    );
    drop(again);
    assert!(DROPPED.load(Ordering::SeqCst) > before);
    // A destructor that panics ends there.
    drop(host.call::<AnyObject>("fragile", (13,)).unwrap());
}

#[test]
fn records() {
    let host = host();
    let point: Value = host.call("point", (3, 4)).unwrap();
    assert_eq!(point, table([("x", Value::Int(3)), ("y", Value::Int(4))]));
}

// ---- Tasks ---------------------------------------------------------------------------------------

#[test]
fn tasks() {
    let host = host();
    for _ in 0..50 {
        assert_eq!(host.call::<String>("from_a_thread", ("x",)).unwrap(), "x");
    }
    // No reactor here: an error, not a crash.
    let error = host.call::<()>("sleeps", ()).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        ("abi", "this host has no service assay.reactor/1")
    );
    assert_eq!(error.hint_text(), Some("update assay"));
}

#[test]
fn cancellation() {
    let before = CANCELLED.load(Ordering::SeqCst);
    let mut task = Started::new("forever", ());
    // Not yet polled, the guard of the future does not exist.
    assert_eq!(task.poll(), abi::PENDING);
    assert_eq!(CANCELLED.load(Ordering::SeqCst), before);
    drop(task);
    assert_eq!(CANCELLED.load(Ordering::SeqCst), before + 1);
    drop(Started::new("forever", ()));
    assert_eq!(CANCELLED.load(Ordering::SeqCst), before + 1);

    let mut task = Started::new("panics_when_dropped", ());
    assert_eq!(task.poll(), abi::PENDING);
    drop(task);
}

#[test]
fn wakers_are_counted() {
    let mut task = Started::new("from_a_thread", ("x",));
    while task.poll() == abi::PENDING {
        task.waker.wait();
    }
    assert_eq!(task.slot.text(), "x");
    // What a host must not do is an error all the same.
    assert_eq!(task.poll(), abi::ERR);
    assert_eq!(
        task.slot
            .result
            .as_ref()
            .unwrap()
            .as_ref()
            .unwrap_err()
            .message(),
        "a finished task was polled again"
    );
}

// ---- Lua functions -------------------------------------------------------------------------------

#[test]
fn callbacks() {
    let func = FakeFunc::new(|args| match args {
        [Value::Int(0), _] => Err(Error::new("refused", "not zero").hint("another")),
        [value, more] => Ok(Value::List(vec![more.clone(), value.clone()])),
        _ => panic!("{args:?}"),
    });
    let host = host();
    assert_eq!(
        host.call::<Value>("calls", (Handle(&func), 5)).unwrap(),
        Value::List(vec!["more".into(), Value::Int(5)])
    );
    let error = host.call::<Value>("calls", (Handle(&func), 0)).unwrap_err();
    assert_eq!(
        (error.kind(), error.message(), error.hint_text()),
        ("refused", "not zero", Some("another"))
    );
    func.settle();
}

#[test]
fn callbacks_of_a_closed_vm() {
    let func = FakeFunc::new(|_| Err(Error::new("closed", "vm closed")));
    let error = host()
        .call::<Value>("calls", (Handle(&func), 1))
        .unwrap_err();
    assert_eq!((error.kind(), error.message()), ("closed", "vm closed"));
}

#[test]
fn callbacks_with_wrong_results() {
    let func = FakeFunc::new(|_| Ok("text".into()));
    let error = host()
        .call::<i64>("calls_for_an_int", (Handle(&func),))
        .unwrap_err();
    assert_eq!(error.message(), "expected an integer, got string \"text\"");
}

#[test]
fn callbacks_at_once() {
    let func = FakeFunc::new(|args| match args {
        [Value::Int(0)] => Err(Error::new("refused", "not zero")),
        [value] => Ok(value.clone()),
        _ => Ok(Value::Int(1)),
    });
    let host = host();
    assert_eq!(
        host.call::<Value>("calls_now", (Handle(&func), "x"))
            .unwrap(),
        "x".into()
    );
    assert_eq!(
        host.call::<Value>("calls_now", (Handle(&func), 0))
            .unwrap_err()
            .kind(),
        "refused"
    );
    // A panic while the result is read stays on this side of the host.
    let error = host
        .call::<Value>("calls_now_for_explosive", (Handle(&func),))
        .unwrap_err();
    assert!(error.message().ends_with("while reading"), "{error}");
    assert_eq!(func.count(), 1);
}

#[test]
fn dropping_a_call_cancels_it() {
    let func = FakeFunc::new(|_| Ok(Value::Nil));
    func.hold();
    host()
        .call::<()>("calls_and_forgets", (Handle(&func),))
        .unwrap();
    assert_eq!(func.cancelled.load(Ordering::SeqCst), 1);
    func.settle();

    // Cancelled from outside, half-way.
    let mut task = Started::new("calls", (Handle(&func), 1));
    assert_eq!(task.poll(), abi::PENDING);
    drop(task);
    assert_eq!(func.cancelled.load(Ordering::SeqCst), 2);
    func.settle();
}

// ---- Permissions, descriptions -------------------------------------------------------------------

#[test]
fn permissions() {
    let host = host();
    assert!(host.call::<()>("needs", ("net.connect", "db:5432")).is_ok());
    host.deny("net.connect");
    let error = host
        .call::<()>("needs", ("net.connect", "db:5432"))
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        ("permission", "not allowed: net db:5432")
    );
    assert_eq!(error.hint_text(), Some("--allow-net=db:5432"));
    // Of this VM only.
    assert!(
        self::host()
            .call::<()>("needs", ("net.connect", "db:5432"))
            .is_ok()
    );
}

#[test]
fn permissions_of_addresses() {
    let host = host();
    let ask = |name: &str, address: &str| host.call::<()>("needs_address", (name, address));
    assert!(ask("db", "10.0.0.1:5432").is_ok());
    host.deny("net.address 10.0.0.1:5432 db");
    host.deny("net.address [::1]:80 [::1]");
    let error = ask("db", "10.0.0.1:5432").unwrap_err();
    assert_eq!(
        (error.kind(), error.message(), error.hint_text()),
        (
            "permission",
            "not allowed: net 10.0.0.1:5432 (db)",
            Some("--allow-net=10.0.0.1:5432")
        )
    );
    let error = ask("[::1]", "[::1]:80").unwrap_err();
    assert_eq!(
        (error.message(), error.hint_text()),
        ("not allowed: net [::1]:80", Some("--allow-net=[::1]:80"))
    );
}

#[test]
fn the_declaration() {
    let decl = &ASSAY_PLUGIN;
    assert_eq!(decl.magic, abi::MAGIC);
    assert_eq!((decl.major, decl.minor), (1, 0));
    assert_eq!(decl.size as usize, size_of::<abi::PluginDecl>());
    // SAFETY: statics.
    let (name, doc, echo, classes) = unsafe {
        (
            decl.name.text(),
            decl.doc.text(),
            desc("echo").doc.text(),
            std::slice::from_raw_parts(decl.classes, decl.nclasses as usize)
                .iter()
                .map(|class| (**class).type_name.text())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(
        (name, doc.trim(), echo.trim()),
        ("kit", "For tests.", "Back.")
    );
    assert_eq!(classes, ["kit.Fragile", "kit.Other", "kit.Point"]);
    assert_eq!(desc("sleeps").flags, abi::flag::ASYNC);
    assert_eq!(desc("echo").flags, 0);
}

// ---- A host of our own ---------------------------------------------------------------------------

fn desc(name: &str) -> FnDesc {
    // SAFETY: the plugin's statics.
    unsafe {
        let fns = std::slice::from_raw_parts(ASSAY_PLUGIN.fns, ASSAY_PLUGIN.nfns as usize);
        *fns.iter().find(|desc| desc.name.text() == name).unwrap()
    }
}

fn desc_of(object: &AnyObject, name: &str) -> FnDesc {
    let mut arena = Arena::default();
    let val = object.to_val(&mut arena).unwrap();
    // SAFETY: a live object; its class is a static.
    unsafe {
        let class = &*(*val.u.o).vt;
        let methods = std::slice::from_raw_parts(class.methods, class.nmethods as usize);
        *methods
            .iter()
            .find(|desc| desc.name.text() == name)
            .unwrap()
    }
}

/// A receiver of results.
#[repr(C)]
struct Slot {
    ret: Ret,
    result: Option<Result<Value>>,
}

impl Slot {
    fn new() -> Box<Self> {
        unsafe extern "C" fn set(ret: *mut Ret, val: *const Val) {
            // SAFETY: the first field of a slot; the value is lent.
            let (slot, val) = unsafe { (&mut *ret.cast::<Slot>(), *val) };
            assert!(slot.result.is_none(), "set twice");
            slot.result = Some(read(val));
        }
        Box::new(Self {
            ret: Ret { set },
            result: None,
        })
    }

    fn text(&mut self) -> String {
        let value = self.result.take().unwrap().unwrap();
        value.as_str().unwrap().into()
    }
}

/// A value of the wire as an owned one.
fn read(val: Val) -> Result<Value> {
    // SAFETY: lent while this runs.
    let view = unsafe { View::new(&val) };
    let text = |key| {
        view.get(key)
            .and_then(View::as_bytes)
            .map(|b| String::from_utf8_lossy(b).into_owned())
    };
    match view.kind() {
        Ok(Kind::Error(_)) => {
            let error = Error::new(text("kind").unwrap(), text("message").unwrap());
            Err(match text("hint") {
                Some(hint) => error.hint(hint),
                None => error,
            })
        }
        _ => view.to_value(),
    }
}

/// Calls as a host does that lets a script choose the object.
fn enter(desc: &FnDesc, this: *const abi::ObjHdr, args: impl IntoArgs) -> (i32, Result<Value>) {
    host();
    let mut slot = Slot::new();
    let mut arena = Arena::default();
    let list = Args(args).to_val(&mut arena).unwrap();
    let mut call = Call {
        size: size_of::<Call>() as u32,
        nargs: list.len,
        // SAFETY: a list.
        args: unsafe { list.u.l },
        this,
        vm: std::ptr::null(),
        ret: (&raw mut *slot).cast(),
        task: Task {
            data: std::ptr::null_mut(),
            vt: std::ptr::null(),
        },
    };
    // SAFETY: a live call block.
    let status = unsafe { (desc.call)(&mut call) };
    (status, slot.result.take().unwrap_or(Ok(Value::Nil)))
}

/// A pending call, polled by hand.
struct Started {
    task: Task,
    waker: Arc<CountedWaker>,
    slot: Box<Slot>,
}

impl Started {
    fn new(function: &str, args: impl IntoArgs) -> Self {
        host();
        let mut slot = Slot::new();
        let mut arena = Arena::default();
        let list = Args(args).to_val(&mut arena).unwrap();
        let mut call = Call {
            size: size_of::<Call>() as u32,
            nargs: list.len,
            // SAFETY: a list.
            args: unsafe { list.u.l },
            this: std::ptr::null(),
            vm: std::ptr::null(),
            ret: (&raw mut *slot).cast(),
            task: Task {
                data: std::ptr::null_mut(),
                vt: std::ptr::null(),
            },
        };
        // SAFETY: a live call block.
        let status = unsafe { (desc(function).call)(&mut call) };
        assert_eq!(status, abi::PENDING);
        Self {
            task: call.task,
            waker: CountedWaker::new(),
            slot,
        }
    }

    fn poll(&mut self) -> i32 {
        // SAFETY: a live task, on one thread.
        unsafe {
            ((*self.task.vt).poll)(
                self.task.data,
                &self.waker.header,
                (&raw mut *self.slot).cast(),
            )
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // SAFETY: dropped once.
        unsafe { ((*self.task.vt).drop)(self.task.data) }
    }
}

/// A waker that must be given back as often as it was taken.
#[repr(C)]
struct CountedWaker {
    header: WakerHdr,
    count: AtomicI64,
    woken: AtomicBool,
    thread: std::thread::Thread,
}

// SAFETY: the vtable is a static, the rest is shareable.
unsafe impl Send for CountedWaker {}
// SAFETY: as above.
unsafe impl Sync for CountedWaker {}

static COUNTED_WAKER: WakerVt = WakerVt {
    size: size_of::<WakerVt>() as u32,
    reserved: 0,
    retain: waker_retain,
    release: waker_release,
    wake: waker_wake,
};

unsafe extern "C" fn waker_retain(waker: *const WakerHdr) {
    waker_of(waker).count.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn waker_release(waker: *const WakerHdr) {
    assert!(
        waker_of(waker).count.fetch_sub(1, Ordering::SeqCst) > 1,
        "released too often"
    );
}

unsafe extern "C" fn waker_wake(waker: *const WakerHdr) {
    let waker = waker_of(waker);
    waker.woken.store(true, Ordering::SeqCst);
    waker.thread.unpark();
}

fn waker_of<'a>(waker: *const WakerHdr) -> &'a CountedWaker {
    // SAFETY: the header of one; tests outlive it.
    unsafe { &*waker.cast::<CountedWaker>() }
}

impl CountedWaker {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            header: WakerHdr { vt: &COUNTED_WAKER },
            count: 1.into(),
            woken: false.into(),
            thread: std::thread::current(),
        })
    }

    fn wait(&self) {
        while !self.woken.swap(false, Ordering::SeqCst) {
            std::thread::park();
        }
    }

    /// All but the first owner are gone, or go soon on their own threads.
    fn settle(&self) {
        until(|| self.count.load(Ordering::SeqCst) == 1);
    }
}

impl Drop for CountedWaker {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.settle();
        }
    }
}

fn until(done: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "never happened");
        std::thread::yield_now();
    }
}

type Body = dyn Fn(&[Value]) -> Result<Value> + Send + Sync;

/// A function of the host's: runs on a thread of its own for `call`.
#[repr(C)]
pub struct FakeFunc {
    header: FuncHdr,
    count: AtomicI64,
    body: Box<Body>,
    /// Whether calls wait to be cancelled.
    hold: AtomicBool,
    held: Mutex<Vec<(u64, abi::DoneFn, usize)>>,
    tickets: AtomicUsize,
    cancelled: AtomicUsize,
}

// SAFETY: the vtable is a static, the rest is shareable.
unsafe impl Send for FakeFunc {}
// SAFETY: as above.
unsafe impl Sync for FakeFunc {}

static FAKE_FUNC: FuncVt = FuncVt {
    size: size_of::<FuncVt>() as u32,
    reserved: 0,
    retain: fake_retain,
    release: fake_release,
    call: fake_call,
    cancel: fake_cancel,
    call_now: fake_call_now,
};

unsafe extern "C" fn fake_retain(func: *const FuncHdr) {
    fake(func).count.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn fake_release(func: *const FuncHdr) {
    assert!(
        fake(func).count.fetch_sub(1, Ordering::SeqCst) > 1,
        "released too often"
    );
}

fn fake<'a>(func: *const FuncHdr) -> &'a FakeFunc {
    // SAFETY: the header of one; tests outlive it.
    unsafe { &*func.cast::<FakeFunc>() }
}

unsafe extern "C" fn fake_call(
    func: *const FuncHdr,
    args: *const Val,
    nargs: u32,
    done: abi::DoneFn,
    ud: *mut std::ffi::c_void,
) -> u64 {
    let this = fake(func);
    let ticket = this.tickets.fetch_add(1, Ordering::SeqCst) as u64;
    if this.hold.load(Ordering::SeqCst) {
        this.held
            .lock()
            .unwrap()
            .push((ticket, done, ud.expose_provenance()));
        return ticket;
    }
    let args = lent(args, nargs);
    this.count.fetch_add(1, Ordering::SeqCst);
    let (func, ud) = (func.expose_provenance(), ud.expose_provenance());
    std::thread::spawn(move || {
        let func = std::ptr::with_exposed_provenance::<FuncHdr>(func);
        end(done, ud, (fake(func).body)(&args));
        fake(func).count.fetch_sub(1, Ordering::SeqCst);
    });
    ticket
}

fn end(done: abi::DoneFn, ud: usize, result: Result<Value>) {
    let mut arena = Arena::default();
    let (status, val) = match &result {
        Ok(value) => (abi::OK, value.to_val(&mut arena).unwrap()),
        Err(error) => (abi::ERR, error.to_val(&mut arena).unwrap()),
    };
    // SAFETY: once for each call.
    unsafe { done(std::ptr::with_exposed_provenance_mut(ud), status, &val) };
}

unsafe extern "C" fn fake_cancel(func: *const FuncHdr, ticket: u64) {
    let this = fake(func);
    let mut held = this.held.lock().unwrap();
    let Some(at) = held.iter().position(|(held, ..)| *held == ticket) else {
        return;
    };
    let (_, done, ud) = held.remove(at);
    drop(held);
    this.cancelled.fetch_add(1, Ordering::SeqCst);
    end(done, ud, Err(Error::new("cancelled", "cancelled")));
}

unsafe extern "C" fn fake_call_now(
    func: *const FuncHdr,
    args: *const Val,
    nargs: u32,
    ret: *mut Ret,
) -> i32 {
    let this = fake(func);
    let mut arena = Arena::default();
    let result = (this.body)(&lent(args, nargs));
    let (status, val) = match &result {
        Ok(value) => (abi::OK, value.to_val(&mut arena).unwrap()),
        Err(error) => (abi::ERR, error.to_val(&mut arena).unwrap()),
    };
    // SAFETY: the caller's receiver.
    unsafe { ((*ret).set)(ret, &val) };
    status
}

fn lent(args: *const Val, nargs: u32) -> Vec<Value> {
    // SAFETY: lent for the call.
    (0..nargs as usize)
        .map(|at| read(unsafe { *args.add(at) }).unwrap())
        .collect()
}

impl FakeFunc {
    pub fn new(body: impl Fn(&[Value]) -> Result<Value> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            header: FuncHdr { vt: &FAKE_FUNC },
            count: 1.into(),
            body: Box::new(body),
            hold: false.into(),
            held: Mutex::default(),
            tickets: 0.into(),
            cancelled: 0.into(),
        })
    }

    fn count(&self) -> i64 {
        self.count.load(Ordering::SeqCst)
    }

    /// From now on, calls wait to be cancelled.
    pub fn hold(&self) {
        self.hold.store(true, Ordering::SeqCst);
    }

    pub fn settle(&self) {
        until(|| self.count() == 1);
    }
}

/// A failed test may leave handles behind; any other gives them all back, if on other threads.
impl Drop for FakeFunc {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.settle();
        }
    }
}

/// Lends a function of ours as an argument.
pub struct Handle<'a>(pub &'a FakeFunc);

// SAFETY: the function outlives the call.
unsafe impl IntoVal for Handle<'_> {
    fn to_val(&self, _: &mut Arena) -> Result<Val> {
        Ok(Val {
            tag: tag::FUNC,
            len: 0,
            u: ValU {
                fun: &raw const self.0.header,
            },
        })
    }
}

/// A table of anything.
struct Pairs<'a>(Vec<(&'static str, Box<dyn IntoVal + 'a>)>);

// SAFETY: in the arena or ourselves.
unsafe impl IntoVal for Pairs<'_> {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        let mut values = Vec::new();
        for (key, value) in &self.0 {
            values.push(key.to_val(arena)?);
            values.push(value.to_val(arena)?);
        }
        let len = self.0.len() as u32;
        Ok(Val {
            tag: tag::MAP,
            len,
            u: ValU {
                l: arena.values(values),
            },
        })
    }
}

/// A value of a tag that does not exist.
struct Tagged(u32);

// SAFETY: points nowhere.
unsafe impl IntoVal for Tagged {
    fn to_val(&self, _: &mut Arena) -> Result<Val> {
        Ok(Val {
            tag: self.0,
            len: 3,
            u: ValU { i: 0 },
        })
    }
}

/// Lists in lists.
struct Deep(usize);

// SAFETY: in the arena.
unsafe impl IntoVal for Deep {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        let mut val = Val::NIL;
        for _ in 0..self.0 {
            val = Val {
                tag: tag::LIST,
                len: 1,
                u: ValU {
                    l: arena.values(vec![val]),
                },
            };
        }
        Ok(val)
    }
}

/// Options in options.
struct DeepOptions(usize);

// SAFETY: in the arena.
unsafe impl IntoVal for DeepOptions {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        let mut val = Val {
            tag: tag::MAP,
            len: 0,
            u: ValU {
                l: std::ptr::null(),
            },
        };
        for _ in 0..self.0 {
            let pair = vec!["nested".to_val(arena)?, val];
            val = Val {
                tag: tag::MAP,
                len: 1,
                u: ValU {
                    l: arena.values(pair),
                },
            };
        }
        Ok(val)
    }
}

/// Arguments as a list.
struct Args<A>(A);

// SAFETY: in the arena or the arguments.
unsafe impl<A: IntoArgs> IntoVal for Args<A> {
    fn to_val(&self, arena: &mut Arena) -> Result<Val> {
        let values = self.0.to_vals(arena)?;
        Ok(Val {
            tag: tag::LIST,
            len: values.len() as u32,
            u: ValU { l: values.as_ptr() },
        })
    }
}

/// An object of another plugin, whose memory is not laid out as the kit's.
#[repr(C)]
struct Foreign {
    header: abi::ObjHdr,
    behind: [u8; 32],
}

static FOREIGN: abi::ObjVt = abi::ObjVt {
    size: size_of::<abi::ObjVt>() as u32,
    nmethods: 0,
    type_name: abi::Str::new("foreign.Thing"),
    methods: std::ptr::null(),
    retain: uncounted,
    release: uncounted,
    doc: abi::Str::new(""),
};

unsafe extern "C" fn uncounted(_: *const abi::ObjHdr) {}

impl Foreign {
    fn new() -> Self {
        Self {
            header: abi::ObjHdr { vt: &FOREIGN },
            behind: [0xaa; 32],
        }
    }
}
