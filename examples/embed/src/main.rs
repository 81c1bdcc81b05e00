//! A host that lets users script their discounts: it takes the scripts' output itself, decides what they
//! may do, gives them a builtin of its own, and reads what they return.

use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use assay::{Config, Policy, Value, Vm};

mod shop {
    use assay_plugin::{Result, family};

    family! {
        /// What scripts know of the shop.
        name: "shop",
        functions: {
            /// An article's price in cents.
            fn price = "fun(article: string): integer",
        },
    }

    fn price(article: &str) -> Result<i64> {
        match article {
            "lamp" => Ok(4_900),
            "chair" => Ok(12_500),
            other => Err(assay_plugin::Error::new(
                "unknown",
                format!("no article `{other}`"),
            )),
        }
    }
}

const SCRIPTS: [(&str, &str); 4] = [
    (
        "discount.lua",
        "print('20% off today')\nreturn shop.price('chair') * 80 // 100",
    ),
    ("typo.lua", "return shop.price('chiar')"),
    ("nosy.lua", "return env.get('HOME')"),
    ("endless.lua", "while true do end"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut stdout = std::io::stdout();
    for (name, source) in SCRIPTS {
        let printed = Arc::new(Mutex::new(Vec::new()));
        let output = Arc::clone(&printed);

        let mut config = Config::default();
        config.memory_limit = Some(16 << 20);
        config.timeout = Some(Duration::from_millis(200));
        config.output = Arc::new(move |bytes| {
            output
                .lock()
                .map_or(Ok(()), |mut output| output.write_all(bytes))
        });
        config.policy =
            Policy::asking(|permission, target| (permission, target) == ("env", "SHOP_CURRENCY"));
        config.families = vec![&shop::FAMILY];

        // A VM for each script: they are cheap, and scripts cannot see each other.
        let vm = Vm::new(config)?;
        let result = match runtime.block_on(vm.eval(&format!("@{name}"), source.as_bytes())) {
            Ok(Value::Int(cents)) => format!("{cents} cents"),
            Ok(_) => "no price".into(),
            Err(error) => format!("{} ({})", error, error.kind),
        };
        let printed = printed
            .lock()
            .map(|printed| String::from_utf8_lossy(&printed).into_owned());
        writeln!(
            stdout,
            "{name}: {result}; it printed {:?}",
            printed.unwrap_or_default()
        )?;
    }
    Ok(())
}
