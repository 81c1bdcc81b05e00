//! Serde from views: option structs and typed data out of Lua tables, with errors that name the option.

use std::cell::Cell;
use std::fmt;

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::abi::Val;
use crate::args::{OwnedArg, describe};
use crate::error::{Error, did_you_mean};
use crate::func::Func;
use crate::object::AnyObject;
use crate::value::{Buf, Bytes, Items, Kind, MAX_DEPTH, Pairs, Value, View, integral};

/// Reads a value by its `Deserialize`.
///
/// # Errors
/// Names the option: ``option `timeout`: expected a number, got string "soon"``.
pub fn from_view<T: DeserializeOwned>(view: View<'_>) -> Result<T, Error> {
    T::deserialize(De {
        view,
        depth: MAX_DEPTH,
    })
    .map_err(Failure::into_error)
}

// Boxed: serde's derived code moves it at every `?`.
#[derive(Debug)]
struct Failure(Box<Mismatch>);

#[derive(Debug)]
struct Mismatch {
    path: Vec<String>,
    message: String,
    hint: Option<String>,
}

impl Failure {
    fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Mismatch {
            path: Vec::new(),
            message: message.into(),
            hint: None,
        }))
    }

    fn inside(mut self, key: impl Into<String>) -> Self {
        self.0.path.push(key.into());
        self
    }

    fn into_error(self) -> Error {
        let path: Vec<_> = self.0.path.into_iter().rev().collect();
        let mut error = Error::argument(self.0.message);
        if !path.is_empty() {
            error = error.context(format_args!("option `{}`", path.join(".")));
        }
        match self.0.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = match did_you_mean(field, expected.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("options are {}", list(expected)),
        };
        let mut failure = Self::new(format!("unknown option `{field}`"));
        failure.0.hint = Some(hint);
        failure
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!(
            "expected one of {}, got \"{variant}\"",
            list(expected)
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("option `{field}` is missing"))
    }

    fn invalid_type(got: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {}, got {got}", readable(expected)))
    }

    fn invalid_value(got: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(got, expected)
    }

    fn invalid_length(len: usize, expected: &dyn de::Expected) -> Self {
        Self::new(format!("expected {expected}, got {len} items"))
    }
}

/// What serde says of numbers is Rust's name of their type.
fn readable(expected: &dyn de::Expected) -> String {
    let expected = expected.to_string();
    match expected.as_str() {
        "u8" => "an integer from 0 to 255".into(),
        "u16" => "an integer from 0 to 65535".into(),
        "u32" => "an integer from 0 to 4294967295".into(),
        "u64" | "usize" => "an integer from 0 on".into(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer in range".into(),
        _ => expected,
    }
}

fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[derive(Clone, Copy)]
struct De<'a> {
    view: View<'a>,
    depth: usize,
}

impl<'a> De<'a> {
    fn kind(self) -> Result<Kind<'a>, Failure> {
        self.view
            .kind()
            .map_err(|error| Failure::new(error.message()))
    }

    fn mismatch(self, expected: &dyn de::Expected) -> Failure {
        Failure::new(format!(
            "expected {expected}, got {}",
            describe(Some(self.view))
        ))
    }

    fn inner(self, view: View<'a>) -> Result<De<'a>, Failure> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(De { view, depth }),
            None => Err(Failure::new(format!(
                "a table nested deeper than {MAX_DEPTH}"
            ))),
        }
    }

    fn integer<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        if let Some(int) = self.view.int() {
            return visitor.visit_i64(int);
        }
        match self.kind()? {
            Kind::Int(int) => visitor.visit_i64(int),
            Kind::Float(float) if integral(float).is_some() => {
                visitor.visit_i64(integral(float).unwrap_or_default())
            }
            _ => Err(self.mismatch(&"an integer")),
        }
    }
}

impl<'a> Deserializer<'a> for De<'a> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.kind()? {
            Kind::Nil | Kind::Null => visitor.visit_unit(),
            Kind::Bool(bool) => visitor.visit_bool(bool),
            Kind::Int(int) => visitor.visit_i64(int),
            Kind::Float(float) => visitor.visit_f64(float),
            Kind::Str(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => visitor.visit_borrowed_bytes(bytes),
            },
            Kind::Buf(buf) => visitor.visit_bytes(&buf),
            Kind::List(items) => visitor.visit_seq(Seq {
                items,
                at: 0,
                de: self,
            }),
            Kind::Map(pairs) | Kind::Error(pairs) => visitor.visit_map(Map {
                pairs,
                value: None,
                de: self,
            }),
            Kind::Object(_) | Kind::Func(_) => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.kind()? {
            Kind::Nil | Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.kind()? {
            Kind::Bool(bool) => visitor.visit_bool(bool),
            _ => Err(self.mismatch(&"a boolean")),
        }
    }

    fn deserialize_i64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.integer(visitor)
    }

    fn deserialize_i32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.integer(visitor)
    }

    fn deserialize_u8<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.integer(visitor)
    }

    fn deserialize_i16<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.integer(visitor)
    }

    fn deserialize_i8<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.integer(visitor)
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.kind()? {
            Kind::Int(int) => visitor.visit_f64(int as f64),
            Kind::Float(float) => visitor.visit_f64(float),
            _ => Err(self.mismatch(&"a number")),
        }
    }

    fn deserialize_string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_str<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.kind()? {
            Kind::Str(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => Err(Failure::new("expected UTF-8 text, got other bytes")),
            },
            Kind::Buf(buf) => match std::str::from_utf8(&buf) {
                Ok(text) => visitor.visit_str(text),
                Err(_) => Err(Failure::new("expected UTF-8 text, got other bytes")),
            },
            _ => Err(self.mismatch(&"a string")),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_bytes<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.kind()? {
            Kind::Str(bytes) => visitor.visit_borrowed_bytes(bytes),
            Kind::Buf(buf) => visitor.visit_bytes(&buf),
            _ => Err(self.mismatch(&"a string")),
        }
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.kind()? {
            Kind::List(items) => visitor.visit_seq(Seq {
                items,
                at: 0,
                de: self,
            }),
            // `{}` is both.
            Kind::Map(pairs) if pairs.len() == 0 => visitor.visit_seq(Seq {
                items: Items::empty(),
                at: 0,
                de: self,
            }),
            _ => Err(self.mismatch(&"a list")),
        }
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.kind()? {
            Kind::Map(pairs) | Kind::Error(pairs) => visitor.visit_map(Map {
                pairs,
                value: None,
                de: self,
            }),
            Kind::List(items) if items.len() == 0 => visitor.visit_map(Map {
                pairs: Pairs::empty(),
                value: None,
                de: self,
            }),
            _ => Err(self.mismatch(&"a table")),
        }
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.kind()? {
            Kind::Str(bytes) => {
                let text = std::str::from_utf8(bytes).map_err(|_| self.mismatch(&visitor))?;
                visitor.visit_enum(text.into_deserializer())
            }
            Kind::Map(mut pairs) if pairs.len() == 1 => {
                let (key, value) = pairs.next().expect("one pair");
                visitor.visit_enum(Variant {
                    key: self.inner(key)?,
                    value: self.inner(value)?,
                })
            }
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        if name == CAPTURE {
            return CAPTURED.with(|captured| {
                captured.set(std::ptr::from_ref(self.view.raw()));
                let result = visitor.visit_unit();
                captured.set(std::ptr::null());
                result
            });
        }
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        <W: Visitor<'a>>
        i128 u128 f32 char unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct Seq<'a> {
    items: Items<'a>,
    at: usize,
    de: De<'a>,
}

impl<'a> SeqAccess<'a> for Seq<'a> {
    type Error = Failure;
    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Failure> {
        let Some(item) = self.items.next() else {
            return Ok(None);
        };
        self.at += 1;
        let result = seed.deserialize(self.de.inner(item)?);
        result
            .map(Some)
            .map_err(|failure| failure.inside(self.at.to_string()))
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Map<'a> {
    pairs: Pairs<'a>,
    value: Option<(View<'a>, View<'a>)>,
    de: De<'a>,
}

impl<'a> MapAccess<'a> for Map<'a> {
    type Error = Failure;
    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failure> {
        let Some((key, value)) = self.pairs.next() else {
            return Ok(None);
        };
        self.value = Some((key, value));
        seed.deserialize(self.de.inner(key)?).map(Some)
    }
    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let (key, value) = self
            .value
            .take()
            .ok_or_else(|| Failure::new("a value without a key"))?;
        seed.deserialize(self.de.inner(value)?).map_err(|failure| {
            failure.inside(match key.as_bytes() {
                Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                None => describe(Some(key)),
            })
        })
    }
    fn size_hint(&self) -> Option<usize> {
        Some(self.pairs.len())
    }
}

struct Variant<'a> {
    key: De<'a>,
    value: De<'a>,
}

impl<'a> EnumAccess<'a> for Variant<'a> {
    type Error = Failure;
    type Variant = De<'a>;
    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, De<'a>), Failure> {
        Ok((seed.deserialize(self.key)?, self.value))
    }
}

impl<'a> VariantAccess<'a> for De<'a> {
    type Error = Failure;
    fn unit_variant(self) -> Result<(), Failure> {
        Ok(())
    }
    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, Failure> {
        seed.deserialize(self)
    }
    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_seq(visitor)
    }
    fn struct_variant<V: Visitor<'a>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_map(visitor)
    }
}

// Handles and whole values inside a serde struct. Serde has no way to hand one over, so this
// deserializer leaves the value in a thread-local for the visitor that asked by this name; with any
// other deserializer nothing is there and the visitor reports it.
const CAPTURE: &str = "$assay_plugin::Value";

thread_local! {
    static CAPTURED: Cell<*const Val> = const { Cell::new(std::ptr::null()) };
}

struct CaptureVisitor<T>(std::marker::PhantomData<fn() -> T>);

impl<'de, T: OwnedArg> Visitor<'de> for CaptureVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a call")
    }

    fn visit_unit<E: de::Error>(self) -> Result<T, E> {
        let val = CAPTURED.with(Cell::take);
        if val.is_null() {
            return Err(E::custom("only a value of a call can hold a handle"));
        }
        // SAFETY: set just now by our deserializer, whose view outlives this call.
        let view = unsafe { View::new(&*val) };
        T::from_view(Some(view)).map_err(|error| E::custom(error.message()))
    }
}

macro_rules! captured {
    ($($t:ty),*) => { $(
        impl<'de> serde::Deserialize<'de> for $t {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_newtype_struct(CAPTURE, CaptureVisitor::<$t>(std::marker::PhantomData))
            }
        }
    )* };
}
captured!(Value, Func, AnyObject, Buf);

impl<'de> serde::Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.into()))
            }
            fn visit_str<E>(self, text: &str) -> Result<Bytes, E> {
                Ok(Bytes(text.into()))
            }
        }
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}
