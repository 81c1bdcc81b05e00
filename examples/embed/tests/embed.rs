//! The example does what it says.

use std::process::Command;

#[test]
fn the_host_stays_in_charge() {
    let output = Command::new(env!("CARGO_BIN_EXE_embed")).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "discount.lua: 10000 cents; it printed \"20% off today\\n\"\n\
         typo.lua: shop.price: no article `chiar` (unknown); it printed \"\"\n\
         nosy.lua: env.get: not allowed: env HOME (permission); it printed \"\"\n\
         endless.lua: the script ran longer than 0.2 s (timeout); it printed \"\"\n"
    );
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}
