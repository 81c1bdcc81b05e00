//! Every key of a checks file: what `file` reads by, and what the schema for editors is made from.

/// The keys of a map.
pub(super) type Names = &'static [&'static str];

macro_rules! maps {
    ($($(#[doc = $about:literal])* $map:ident { $($(#[doc = $doc:literal])* $key:literal: $shape:expr,)* })*) => {
        $(pub(super) const $map: Names = &[$($key),*];)*

        /// Maps with their keys and documentation, for the schema.
        #[cfg(test)]
        pub(super) mod described {
            use super::super::schema::Key;
            use super::super::schema::Shape::*;

            $(
                $(#[doc = $about])*
                pub const $map: &[Key] = &[$(Key {
                    name: $key,
                    shape: $shape,
                    doc: concat!($($doc),*),
                }),*];
            )*
        }
    };
}

maps! {
    /// The file.
    FILE {
        /// How long the whole run may take; `2m` without it.
        "timeout": Duration,
        /// How often a check that failed is tried again; 3 without it.
        "retries": Count,
        /// How long to wait before that: `5s` without it.
        "backoff": Backoff,
        /// How many checks run at once: a number, `true` for 16, `false` (the default) for one after the other.
        "parallel": Parallel,
        /// What is checked.
        "checks": Required(&Checks),
    }

    /// Every check.
    CHECK {
        /// What results call it.
        "name": Required(&Text),
        /// What kind of check it is.
        "type": Required(&Word(&["http", "prometheus", "script"])),
        /// How long each attempt may take; `30s` without it for http and prometheus, the run's timeout for a script.
        "timeout": Duration,
        /// How often it is tried again, instead of the file's `retries`.
        "retries": Count,
        /// How long to wait before that, instead of the file's `backoff`.
        "backoff": Backoff,
        /// How many checks may run while this one does: `false` has it run alone.
        "parallel": Parallel,
    }

    /// Type `http`.
    HTTP {
        /// Where the request goes.
        "url": Required(&Url),
        /// GET without it.
        "method": Method,
        /// Names and values; a list sends the name several times.
        "headers": Headers,
        /// A text, or anything else to be sent as JSON.
        "body": Anything,
        /// Who asks.
        "auth": OneOf(AUTH),
        /// Whether redirects are followed; `true` without it.
        "follow_redirects": Bool,
        /// What must hold; a status of 2xx without it.
        "expect": Map(EXPECT_HTTP),
    }

    /// Type `prometheus`.
    PROMETHEUS {
        /// Where Prometheus is, without `/api/v1`.
        "url": Required(&Url),
        /// PromQL with a vector or a scalar as its result. Without any series the check fails.
        "query": Required(&Text),
        /// Names and values; a list sends the name several times.
        "headers": Headers,
        /// Who asks.
        "auth": OneOf(AUTH),
        /// What must hold for every series.
        "expect": Map(EXPECT_PROMETHEUS),
    }

    /// Type `script`.
    SCRIPT {
        /// A Lua file, relative to this one. The check passes when it runs to its end.
        "file": Required(&Text),
        /// What `env.get` answers in it, over the environment.
        "env": Texts,
    }

    /// `expect` of type `http`.
    EXPECT_HTTP {
        /// A status, `2xx` and the like, or a list of them; `2xx` without it.
        "status": Status,
        /// What the body must contain.
        "body": Matchers,
        /// What headers must contain.
        "headers": HeaderMatchers,
        /// An expression over the body as JSON, such as `.status == "ok"`, or a list of them.
        "json": OneOrMore(&Text),
        /// How long the answer may take.
        "latency": Duration,
    }

    /// A text that another one is held to.
    MATCHER {
        /// A text that must be in it.
        "contains": Text,
        /// A regular expression that must match somewhere in it.
        "matches": Text,
    }

    /// `expect` of type `prometheus`.
    EXPECT_PROMETHEUS {
        /// The least value.
        "min": Number,
        /// The greatest value.
        "max": Number,
    }

    /// `auth`: one of both.
    AUTH {
        /// User and password.
        "basic": Map(BASIC),
        /// A token.
        "bearer": Text,
    }

    /// `auth.basic`.
    BASIC {
        /// The user.
        "user": Required(&Text),
        /// The password.
        "pass": Required(&Text),
    }

    /// `backoff` that grows.
    BACKOFF {
        /// The first wait; `1s` without it.
        "initial": Duration,
        /// No wait is longer; `1m` without it.
        "max": Duration,
        /// By how much each wait is longer than the one before; 2 without it.
        "factor": Number,
        /// How much of each wait is up to chance: from 0 (without it) to 1, or `true` for 1.
        "jitter": Jitter,
    }
}
