//! Arguments: from views to the types of a function's parameters.

use crate::abi::{Call, Val};
use crate::error::{Error, Result};
use crate::func::Func;
use crate::host::Cx;
use crate::object::{AnyObject, Object, Ref};
use crate::value::{Buf, Bytes, Kind, Value, View, integral};

/// The arguments of a call, taken in order.
pub struct Cursor<'a> {
    pub(crate) call: &'a Call,
    rest: std::slice::Iter<'a, Val>,
    this: Option<AnyObject>,
    /// Whether `this` turned out to be an object of this kit.
    pub(crate) this_is_ours: bool,
    position: usize,
}

impl<'a> Cursor<'a> {
    /// # Safety
    /// The call and what it points to must be valid for `'a`.
    pub(crate) unsafe fn new(call: &'a Call) -> Self {
        let args: &'a [Val] = if call.nargs == 0 {
            &[]
        } else {
            // SAFETY: the host promises `nargs` values.
            unsafe { std::slice::from_raw_parts(call.args, call.nargs as usize) }
        };
        let this = (!call.this.is_null())
            // SAFETY: the host promises a live object.
            .then(|| unsafe { AnyObject::retained(call.this) });
        Self {
            call,
            rest: args.iter(),
            this,
            this_is_ours: false,
            position: 0,
        }
    }

    fn next(&mut self) -> Option<View<'a>> {
        self.position += 1;
        // SAFETY: the arguments live for 'a.
        self.rest.next().map(|val| unsafe { View::new(val) })
    }
}

/// A type that a function may take.
///
/// `Item` is the same type with the lifetime of the call, so that `&str` and `&[u8]` are read in
/// place. An `async fn` takes owned types only: views end when the call returns.
pub trait Arg {
    /// The type, borrowed from the call.
    type Item<'a>;
    #[doc(hidden)]
    fn take<'a>(cursor: &mut Cursor<'a>) -> Result<Self::Item<'a>>;
}

/// A type that is read from one value and owns what it read.
pub trait OwnedArg: Sized + Send + 'static {
    /// Reads a value; `None` where there is none.
    ///
    /// # Errors
    /// For a value of another type: `expected string, got nil`.
    fn from_view(view: Option<View<'_>>) -> Result<Self>;
}

pub(crate) fn expected(what: &str, got: Option<View<'_>>) -> Error {
    Error::argument(format!("expected {what}, got {}", describe(got)))
}

pub(crate) fn describe(view: Option<View<'_>>) -> String {
    match view {
        None => "nothing".into(),
        Some(view) => match view.kind() {
            Ok(Kind::Str(bytes)) if bytes.len() <= 40 => {
                format!(
                    "string \"{}\"",
                    String::from_utf8_lossy(bytes).escape_debug()
                )
            }
            Ok(Kind::Int(int)) => format!("number {int}"),
            Ok(Kind::Float(float)) => format!("number {float}"),
            Ok(Kind::Bool(bool)) => format!("boolean {bool}"),
            _ => view.type_name().into(),
        },
    }
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        Error::argument(format!(
            "expected UTF-8 text, got a byte {:#04x} at offset {}",
            bytes[error.valid_up_to()],
            error.valid_up_to()
        ))
    })
}

fn at(position: usize, error: Error) -> Error {
    error.context(format_args!("argument {position}"))
}

macro_rules! borrowed {
    ($($t:ty, $what:literal, |$bytes:ident| $read:expr;)*) => { $(
        impl<'s> Arg for &'s $t {
            type Item<'a> = &'a $t;
            fn take<'a>(cursor: &mut Cursor<'a>) -> Result<&'a $t> {
                let view = cursor.next();
                let read = match view.and_then(View::as_bytes) {
                    Some($bytes) => $read,
                    None => Err(expected($what, view)),
                };
                read.map_err(|error| at(cursor.position, error))
            }
        }
    )* };
}
borrowed! {
    str, "string", |bytes| utf8(bytes);
    [u8], "string", |bytes| Ok(bytes);
}

impl<'s> Arg for View<'s> {
    type Item<'a> = View<'a>;
    fn take<'a>(cursor: &mut Cursor<'a>) -> Result<View<'a>> {
        const NIL: &Val = &Val::NIL;
        // SAFETY: a constant.
        Ok(cursor.next().unwrap_or(unsafe { View::new(NIL) }))
    }
}

/// The arguments that are left.
#[derive(Clone)]
pub struct Rest<'a>(std::slice::Iter<'a, Val>);

impl<'a> Iterator for Rest<'a> {
    type Item = View<'a>;
    fn next(&mut self) -> Option<View<'a>> {
        // SAFETY: the arguments live for 'a.
        self.0.next().map(|val| unsafe { View::new(val) })
    }
}

impl<'s> Arg for Rest<'s> {
    type Item<'a> = Rest<'a>;
    fn take<'a>(cursor: &mut Cursor<'a>) -> Result<Rest<'a>> {
        Ok(Rest(std::mem::take(&mut cursor.rest)))
    }
}

impl<T: Arg> Arg for Option<T> {
    type Item<'a> = Option<T::Item<'a>>;
    fn take<'a>(cursor: &mut Cursor<'a>) -> Result<Self::Item<'a>> {
        let next = cursor.rest.as_slice().first();
        // SAFETY: the arguments live for 'a.
        match next.map(|val| unsafe { View::new(val) }) {
            Some(view) if !view.is_nil() => T::take(cursor).map(Some),
            _ => {
                cursor.next();
                Ok(None)
            }
        }
    }
}

impl Arg for Cx {
    type Item<'a> = Cx;
    fn take<'a>(cursor: &mut Cursor<'a>) -> Result<Cx> {
        // SAFETY: the host promises a live VM for the call.
        Ok(unsafe { Cx::retained(cursor.call.vm) })
    }
}

impl<T: Object> Arg for Ref<T> {
    type Item<'a> = Ref<T>;
    fn take<'a>(cursor: &mut Cursor<'a>) -> Result<Ref<T>> {
        if let Some(this) = cursor.this.take() {
            let this = Ref::from_any(&this)?;
            cursor.this_is_ours = true;
            return Ok(this);
        }
        let view = cursor.next();
        match view.map(View::kind) {
            Some(Ok(Kind::Object(object))) => Ref::from_any(&object),
            // SAFETY: names are statics.
            _ => Err(expected(unsafe { T::class().type_name.text() }, view)),
        }
        .map_err(|error| at(cursor.position, error))
    }
}

macro_rules! owned {
    ($($t:ty: |$view:ident| $read:expr;)*) => { $(
        impl OwnedArg for $t {
            fn from_view($view: Option<View<'_>>) -> Result<Self> {
                $read
            }
        }
        arg_from_owned!($t);
    )* };
}

macro_rules! arg_from_owned {
    ($t:ty) => {
        impl Arg for $t {
            type Item<'a> = $t;
            fn take<'a>(cursor: &mut Cursor<'a>) -> Result<$t> {
                let view = cursor.next();
                <$t>::from_view(view).map_err(|error| at(cursor.position, error))
            }
        }
    };
}

owned! {
    (): |_view| Ok(());
    bool: |view| match view.map(View::kind) {
        Some(Ok(Kind::Bool(bool))) => Ok(bool),
        _ => Err(expected("boolean", view)),
    };
    i64: |view| integer(view);
    f64: |view| match view.map(View::kind) {
        Some(Ok(Kind::Int(int))) => Ok(int as f64),
        Some(Ok(Kind::Float(float))) => Ok(float),
        _ => Err(expected("number", view)),
    };
    u16: |view| unsigned(view);
    u32: |view| unsigned(view);
    u64: |view| unsigned(view);
    usize: |view| unsigned(view);
    String: |view| match view.and_then(View::as_bytes) {
        Some(bytes) => utf8(bytes).map(Into::into),
        None => Err(expected("string", view)),
    };
    Vec<u8>: |view| bytes(view);
    Bytes: |view| bytes(view).map(Bytes);
    Value: |view| view.map_or(Ok(Value::Nil), View::to_value);
    Func: |view| match view.map(View::kind) {
        Some(Ok(Kind::Func(func))) => Ok(func),
        _ => Err(expected("function", view)),
    };
    AnyObject: |view| match view.map(View::kind) {
        Some(Ok(Kind::Object(object))) => Ok(object),
        _ => Err(expected("userdata", view)),
    };
    Buf: |view| match view.map(View::kind) {
        Some(Ok(Kind::Buf(buf))) => Ok(buf),
        _ => bytes(view).map(Buf::new),
    };
}

fn bytes(view: Option<View<'_>>) -> Result<Vec<u8>> {
    view.and_then(View::as_bytes)
        .map(Into::into)
        .ok_or_else(|| expected("string", view))
}

fn integer(view: Option<View<'_>>) -> Result<i64> {
    if let Some(int) = view.and_then(View::int) {
        return Ok(int);
    }
    match view.map(View::kind) {
        Some(Ok(Kind::Int(int))) => Ok(int),
        Some(Ok(Kind::Float(float))) => integral(float).ok_or_else(|| expected("an integer", view)),
        _ => Err(expected("an integer", view)),
    }
}

fn unsigned<T: TryFrom<i64>>(view: Option<View<'_>>) -> Result<T> {
    let int = integer(view)?;
    T::try_from(int).map_err(|_| {
        let most = match size_of::<T>() {
            2 => u64::from(u16::MAX),
            4 => u64::from(u32::MAX),
            _ => i64::MAX as u64,
        };
        Error::argument(format!("expected an integer from 0 to {most}, got {int}"))
    })
}

impl<T: OwnedArg> OwnedArg for Option<T> {
    fn from_view(view: Option<View<'_>>) -> Result<Self> {
        match view {
            Some(present) if !present.is_nil() => T::from_view(view).map(Some),
            _ => Ok(None),
        }
    }
}

/// A table read by serde, such as an options struct with `#[serde(deny_unknown_fields)]`.
pub struct De<T>(pub T);

impl<T: serde::de::DeserializeOwned> De<T> {
    fn read(view: Option<View<'_>>) -> Result<Self> {
        let view = view
            .filter(|v| !v.is_nil())
            .ok_or_else(|| expected("table", view))?;
        crate::de::from_view(view).map(De)
    }
}

impl<T: serde::de::DeserializeOwned + Send + 'static> OwnedArg for De<T> {
    fn from_view(view: Option<View<'_>>) -> Result<Self> {
        Self::read(view)
    }
}

impl<T: serde::de::DeserializeOwned + 'static> Arg for De<T> {
    type Item<'a> = De<T>;
    fn take<'a>(cursor: &mut Cursor<'a>) -> Result<De<T>> {
        let view = cursor.next();
        Self::read(view).map_err(|error| at(cursor.position, error))
    }
}
