//! Functions whose cost is all boundary: the benches call them against the same functions
//! registered directly through mlua.

use std::collections::HashMap;

use assay_plugin::{De, Ser, plugin};

fn add(a: i64, b: i64) -> i64 {
    a + b
}

fn echo(text: &str) -> String {
    text.to_owned()
}

fn sum_map(map: De<HashMap<String, i64>>) -> i64 {
    map.0.values().sum()
}

fn sum_list(list: De<Vec<i64>>) -> i64 {
    list.0.iter().sum()
}

fn echo_map(map: De<HashMap<String, i64>>) -> Ser<HashMap<String, i64>> {
    Ser(map.0)
}

plugin! {
    /// Functions for the benches.
    name: "bench",
    functions: {
        /// The sum of two integers.
        fn add = "fun(a: integer, b: integer): integer",
        /// The same text.
        fn echo = "fun(text: string): string",
        /// The sum of a table's values.
        fn sum_map = "fun(map: table<string, integer>): integer",
        /// The sum of a list.
        fn sum_list = "fun(list: integer[]): integer",
        /// The same table.
        fn echo_map = "fun(map: table<string, integer>): table<string, integer>",
    },
}
