//! Objects: Rust values that scripts hold.

use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::abi::{FnDesc, ObjHdr, ObjVt, Val};
use crate::error::{Error, Result};
use crate::value::{Arena, IntoVal, object_val};

/// A type with methods in Lua. Implemented by [`object!`](crate::object) and
/// [`record!`](crate::record).
pub trait Class: 'static {
    /// The class as the host sees it.
    fn class() -> &'static ObjVt;
    /// The same for static lists.
    #[doc(hidden)]
    const CLASS: *const ObjVt;
}

/// A class whose instances are objects. Implemented by [`object!`](crate::object).
pub trait Object: Class {}

#[repr(C)]
struct Instance<T> {
    header: ObjHdr,
    count: AtomicUsize,
    poisoned: AtomicBool,
    value: T,
}

/// # Safety
/// The object must be one of this kit.
pub(crate) unsafe fn poison(object: *const ObjHdr) {
    // SAFETY: the fields before `value` are at the same place for every `T`.
    unsafe { &*object.cast::<Instance<()>>() }
        .poisoned
        .store(true, Ordering::Relaxed);
}

/// A counted reference to an object.
pub struct Ref<T: Object>(NonNull<Instance<T>>);

// SAFETY: as `Arc`: shared access from several threads, dropped on any.
unsafe impl<T: Object + Send + Sync> Send for Ref<T> {}
// SAFETY: as above.
unsafe impl<T: Object + Send + Sync> Sync for Ref<T> {}

impl<T: Object> Ref<T> {
    /// Makes a value an object.
    pub fn new(value: T) -> Self {
        let instance = Instance {
            header: ObjHdr { vt: T::class() },
            count: AtomicUsize::new(1),
            poisoned: AtomicBool::new(false),
            value,
        };
        Self(NonNull::from(Box::leak(Box::new(instance))))
    }

    /// The object, if it is one of this class and not poisoned by a panic.
    pub(crate) fn from_any(object: &AnyObject) -> Result<Self> {
        // SAFETY: a live object; its vtable pointer is its class's identity.
        let vt = unsafe { (*object.0).vt };
        if !std::ptr::eq(vt, T::class()) {
            return Err(Error::argument(format!(
                "expected {}, got {}",
                class_name(T::class()),
                object.type_name()
            )));
        }
        let instance: NonNull<Instance<T>> =
            NonNull::new(object.0.cast_mut()).expect("not null").cast();
        // SAFETY: the class says what it is.
        if unsafe { instance.as_ref() }
            .poisoned
            .load(Ordering::Relaxed)
        {
            return Err(Error::new(
                "panic",
                format!(
                    "this {} is unusable since a call of it panicked",
                    class_name(T::class())
                ),
            ));
        }
        let reference = std::mem::ManuallyDrop::new(Self(instance));
        Ok((*reference).clone())
    }

    fn instance(&self) -> &Instance<T> {
        // SAFETY: alive while counted.
        unsafe { self.0.as_ref() }
    }
}

impl<T: Object> Deref for Ref<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.instance().value
    }
}

impl<T: Object> Clone for Ref<T> {
    fn clone(&self) -> Self {
        self.instance().count.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl<T: Object> Drop for Ref<T> {
    fn drop(&mut self) {
        if self.instance().count.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: the last owner of what `new` leaked.
            drop(unsafe { Box::from_raw(self.0.as_ptr()) });
        }
    }
}

// SAFETY: the handle counts, and `self` outlives the use.
unsafe impl<T: Object> IntoVal for Ref<T> {
    fn to_val(&self, _: &mut Arena) -> Result<Val> {
        Ok(object_val(self.0.as_ptr().cast()))
    }
}

#[doc(hidden)]
pub unsafe extern "C" fn retain<T: Object>(object: *const ObjHdr) {
    // SAFETY: the host calls it with an object of the class whose vtable names it.
    let instance = unsafe { &*object.cast::<Instance<T>>() };
    instance.count.fetch_add(1, Ordering::Relaxed);
}

#[doc(hidden)]
pub unsafe extern "C" fn release<T: Object>(object: *const ObjHdr) {
    // A destructor that panics is contained; there is nobody to tell.
    let _ = crate::panic::contain(|| {
        let instance: NonNull<Instance<T>> =
            NonNull::new(object.cast_mut()).expect("not null").cast();
        drop(Ref(instance));
    });
}

#[doc(hidden)]
pub unsafe extern "C" fn no_count(_: *const ObjHdr) {}

/// An object of any class, of any plugin.
pub struct AnyObject(pub(crate) *const ObjHdr);

// SAFETY: only counted and compared here; `Ref::from_any` checks the class, and classes that are
// not `Send` give out no `Send` references.
unsafe impl Send for AnyObject {}
// SAFETY: as above.
unsafe impl Sync for AnyObject {}

impl AnyObject {
    /// For hosts: takes over one count of an object.
    ///
    /// # Safety
    /// The object must be live, and the count the caller's to give.
    pub unsafe fn from_raw(object: *const ObjHdr) -> Self {
        Self(object)
    }

    pub(crate) unsafe fn retained(object: *const ObjHdr) -> Self {
        // SAFETY: the caller's promise that it is a live object.
        unsafe { ((*(*object).vt).retain)(object) };
        Self(object)
    }

    /// `family.Class`.
    pub fn type_name(&self) -> &'static str {
        // SAFETY: a live object; class descriptions live as long as the process.
        class_name(unsafe { &*(*self.0).vt })
    }

    pub(crate) fn methods(&self) -> &'static [FnDesc] {
        // SAFETY: as above.
        unsafe {
            let vt = &*(*self.0).vt;
            std::slice::from_raw_parts(vt.methods, vt.nmethods as usize)
        }
    }

    /// Whether it has a method.
    pub fn has(&self, method: &str) -> bool {
        // SAFETY: names are statics.
        self.methods()
            .iter()
            .any(|desc| unsafe { desc.name.text() } == method)
    }
}

fn class_name(class: &'static ObjVt) -> &'static str {
    // SAFETY: names are statics.
    unsafe { class.type_name.text() }
}

impl Clone for AnyObject {
    fn clone(&self) -> Self {
        // SAFETY: `self` counts.
        unsafe { Self::retained(self.0) }
    }
}

impl Drop for AnyObject {
    fn drop(&mut self) {
        // SAFETY: gives back what `self` counts.
        unsafe { ((*(*self.0).vt).release)(self.0) }
    }
}

impl PartialEq for AnyObject {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl std::fmt::Debug for AnyObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.type_name())
    }
}

// SAFETY: the handle counts, and `self` outlives the use.
unsafe impl IntoVal for AnyObject {
    fn to_val(&self, _: &mut Arena) -> Result<Val> {
        Ok(object_val(self.0))
    }
}
