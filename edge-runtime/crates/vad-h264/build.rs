//! openh264 is C++, and musl comes without a C++ library. All that it asks of one is memory (docs/design/0022-h264.md).

fn main() {
    println!("cargo::rerun-if-changed=native/operators.cpp");
    if std::env::var("CARGO_CFG_TARGET_ENV").as_deref() == Ok("musl") {
        cc::Build::new().cpp(true).cpp_link_stdlib(None).file("native/operators.cpp").compile("operators");
    }
}
