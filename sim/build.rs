//! Build script: compares the pin block in Rust and C++, compiles the loader, and packs the compression
//! libraries that tracing needs, so that the finished program can compile tracing cores anywhere.

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::mem::{offset_of, size_of};
use std::path::{Path, PathBuf};

#[path = "src/pins.rs"]
#[expect(unreachable_pub, reason = "it is a module of the crate, too")]
mod pins;

/// Lines that compare one struct with its C++ twin.
macro_rules! layout {
    ($out:ident, $type:ident: $($field:ident),*) => {
        writeln!($out, "static_assert(sizeof(rebound::{0}) == {1}, \"size of {0}\");",
            stringify!($type), size_of::<pins::$type>())?;
        $(writeln!($out, "static_assert(offsetof(rebound::{0}, {1}) == {2}, \"place of {0}::{1}\");",
            stringify!($type), stringify!($field), offset_of!(pins::$type, $field))?;)*
    };
}

fn layout_header() -> Result<String, std::fmt::Error> {
    let mut out =
        "// Layout of the pin block as Rust has it.\n#include \"rebound_abi.h\"\n".to_owned();
    layout!(out, AddressPins: addr, id, len, size, burst, lock, cache, prot, qos, valid);
    layout!(out, AxiManagerPins: aw, ar, wdata, wstrb, wid, wlast, wvalid, bready, rready, rdata, rid, bid,
        rresp, rlast, rvalid, bresp, bvalid, awready, wready, arready);
    layout!(out, AxiLitePins: awaddr, araddr, wdata, rdata, wstrb, awprot, arprot, awvalid, wvalid, arvalid,
        bready, rready, awready, wready, arready, bresp, bvalid, rresp, rvalid);
    layout!(out, RegisterPins: addr, wdata, rdata, strobe, prot, select, enable, write, ready, error, retry, stall, tick);
    layout!(out, AxiStreamPins: data, keep, user, id, dest, last, valid, ready);
    layout!(out, HostViewPins: cpu_state, slots_used, bounce_addr, orig_addr, dma_addr);
    Ok(out)
}

/// Copies a file that a `-sys` crate has built or carries into the output folder.
fn pack(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs::copy(from, to).map_err(|error| format!("{}: {error}", from.display()))?;
    Ok(())
}

/// A name for how cores are built: it changes with the code that builds them, and old libraries with it.
fn build_format() -> Result<String, Box<dyn Error>> {
    let mut files = Vec::new();
    for folder in ["src/verilate", "src/wrapper"] {
        println!("cargo::rerun-if-changed={folder}");
        for entry in fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.extend(["src/verilate.rs", "src/wrapper.rs", "src/interfaces.rs"].map(PathBuf::from));
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
        fs::read(file)?.hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("rebound_layout.h"), layout_header()?)?;

    let folder = |name: &str| {
        env::var(name)
            .map(PathBuf::from)
            .map_err(|_| format!("{name} is not set"))
    };
    let (lz4, zlib) = (folder("DEP_LZ4_ROOT")?, folder("DEP_Z_ROOT")?);
    pack(&lz4.join("liblz4.a"), &out.join("liblz4.a"))?;
    pack(&lz4.join("include/lz4.h"), &out.join("lz4.h"))?;
    pack(&zlib.join("lib/libz.a"), &out.join("libz.a"))?;
    pack(&zlib.join("include/zlib.h"), &out.join("zlib.h"))?;
    pack(&zlib.join("include/zconf.h"), &out.join("zconf.h"))?;

    println!("cargo::rustc-env=REBOUND_BUILD_FORMAT={}", build_format()?);

    cxx_build::bridge("src/ffi.rs")
        .file("src/cxx/loader.cpp")
        .include("src/cxx")
        .include(&out)
        .std("c++17")
        .flag_if_supported("-fvisibility=hidden")
        .compile("rebound_loader");
    println!("cargo::rustc-link-lib=dl");
    for path in ["src/pins.rs", "src/ffi.rs", "src/cxx"] {
        println!("cargo::rerun-if-changed={path}");
    }
    Ok(())
}
