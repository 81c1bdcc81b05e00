//! What a test file declares: `describe`, `it`, and the hooks.
//!
//! One thread runs one file at a time, so what is declared is collected in a thread-local.

use std::cell::RefCell;

use assay_plugin::abi::PluginDecl;
use assay_plugin::{Error, Func, Result};

/// The globals of test files.
pub static FAMILIES: &[&PluginDecl] = &[
    &describe::FAMILY,
    &it::FAMILY,
    &before_all::FAMILY,
    &before_each::FAMILY,
    &after_each::FAMILY,
    &after_all::FAMILY,
];

/// A `describe`, or a file.
#[derive(Default)]
pub struct Suite {
    /// With the names of those around it; empty for a file.
    pub name: String,
    /// Whether nothing in it is to be run.
    pub is_skipped: bool,
    /// In the order of the file.
    pub items: Vec<Item>,
    pub before_all: Vec<Func>,
    pub before_each: Vec<Func>,
    pub after_each: Vec<Func>,
    pub after_all: Vec<Func>,
}

/// A part of a suite.
pub enum Item {
    Test(Test),
    Suite(Suite),
}

/// An `it`.
pub struct Test {
    /// With the names of the suites around it.
    pub name: String,
    pub is_skipped: bool,
    pub body: Func,
}

thread_local! {
    /// The suites that are open, outermost first; none while no file is being collected.
    static OPEN: RefCell<Vec<Suite>> = const { RefCell::new(Vec::new()) };
}

/// Begins a file.
pub fn open_file() {
    OPEN.set(vec![Suite::default()]);
}

/// Ends a file: what it declared. From then on nothing can be declared.
pub fn close_file() -> Suite {
    OPEN.take().into_iter().next().unwrap_or_default()
}

/// Does something with the innermost open suite.
fn declare(what: impl FnOnce(&mut Suite) -> Result<()>) -> Result<()> {
    OPEN.with_borrow_mut(|open| match open.last_mut() {
        Some(suite) => what(suite),
        None => Err(
            Error::new("usage", "a test is running, and cannot declare anything")
                .hint("declare at the top of the file, or directly in a describe"),
        ),
    })
}

fn full_name(around: &str, name: String) -> Result<String> {
    if name.trim().is_empty() {
        return Err(Error::argument("argument 1: the name is empty"));
    }
    Ok(if around.is_empty() {
        name
    } else {
        format!("{around} > {name}")
    })
}

/// Collects what the body declares. The body may wait, as the file itself may.
async fn collect(name: String, body: Func, is_skipped: bool) -> Result<()> {
    let mut inner = Suite::default();
    declare(|suite| {
        inner.name = full_name(&suite.name, name)?;
        inner.is_skipped = is_skipped || suite.is_skipped;
        Ok(())
    })?;
    OPEN.with_borrow_mut(|open| open.push(inner));
    let result = body.call::<()>(()).await;
    OPEN.with_borrow_mut(|open| {
        if let Some(inner) = open.pop()
            && let Some(around) = open.last_mut()
        {
            around.items.push(Item::Suite(inner));
        }
    });
    result
}

fn test(name: String, body: Func, is_skipped: bool) -> Result<()> {
    declare(|suite| {
        let name = full_name(&suite.name, name)?;
        let is_skipped = is_skipped || suite.is_skipped;
        suite.items.push(Item::Test(Test {
            name,
            is_skipped,
            body,
        }));
        Ok(())
    })
}

mod describe {
    use assay_plugin::{Func, Result, family};

    family! {
        /// A group of tests.
        name: "describe",
        functions: {
            /// Declares a group: tests, hooks and groups in it.
            async fn __call = "fun(name: string, body: fun())",
            /// Declares a group whose tests are not run.
            async fn skip = "fun(name: string, body: fun())",
        },
    }

    async fn __call(name: String, body: Func) -> Result<()> {
        super::collect(name, body, false).await
    }

    async fn skip(name: String, body: Func) -> Result<()> {
        super::collect(name, body, true).await
    }
}

mod it {
    use assay_plugin::{Func, Result, family};

    family! {
        /// A test.
        name: "it",
        functions: {
            /// Declares a test. It fails when its function raises.
            fn __call = "fun(name: string, body: fun())",
            /// Declares a test that is not run.
            fn skip = "fun(name: string, body: fun())",
        },
    }

    fn __call(name: String, body: Func) -> Result<()> {
        super::test(name, body, false)
    }

    fn skip(name: String, body: Func) -> Result<()> {
        super::test(name, body, true)
    }
}

macro_rules! hook {
    ($(#[doc = $doc:literal])* $name:ident = $text:literal) => {
        mod $name {
            use assay_plugin::{Func, Result, family};

            family! {
                $(#[doc = $doc])*
                name: $text,
                functions: {
                    $(#[doc = $doc])*
                    fn __call = "fun(body: fun())",
                },
            }

            fn __call(body: Func) -> Result<()> {
                super::declare(|suite| {
                    suite.$name.push(body);
                    Ok(())
                })
            }
        }
    };
}

hook! {
    /// Runs before the first test of the group.
    before_all = "before_all"
}
hook! {
    /// Runs before each test of the group, also those of groups in it.
    before_each = "before_each"
}
hook! {
    /// Runs after each test of the group, also when the test failed.
    after_each = "after_each"
}
hook! {
    /// Runs after the last test of the group.
    after_all = "after_all"
}
