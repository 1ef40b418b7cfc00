//! What the machine must have, and how it gets it.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What signs Debian's archive.
pub const DEBIAN_KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A program or library that Watchpost uses and does not ship.
#[derive(Clone, Copy)]
pub enum Need {
    Ffmpeg,
    CCompiler,
    Libclang,
    Mosquitto,
    RtspServer,
    Browser,
    MetricsReader,
    Gstreamer,
    Aarch64Compiler,
    QemuUser,
    Python,
    Emulator,
    Disk,
    Ssh,
    Dpkg,
    DebianKeys,
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Need::Ffmpeg => on_path("ffmpeg") && on_path("ffprobe"),
            Need::CCompiler => on_path("cc") && on_path("c++") && on_path("nasm"),
            Need::Libclang => has_libclang(),
            Need::Mosquitto => on_path("mosquitto"),
            Need::RtspServer => has_rtsp_server(),
            Need::Browser => on_path("chromedriver") && (on_path("chromium") || on_path("google-chrome")),
            Need::MetricsReader => debian_python("import prometheus_client.openmetrics.parser"),
            Need::Gstreamer => on_path("gst-launch-1.0") && has_elements(),
            Need::Aarch64Compiler => on_path("aarch64-linux-gnu-g++"),
            Need::QemuUser => on_path("qemu-aarch64"),
            Need::Python => on_path("python3"),
            Need::Emulator => on_path("qemu-system-aarch64"),
            Need::Disk => on_path("mkfs.ext4") && on_path("nbdkit"),
            Need::Ssh => on_path("ssh") && on_path("ssh-keygen"),
            Need::Dpkg => on_path("dpkg-deb"),
            Need::DebianKeys => Path::new(DEBIAN_KEYS).is_file(),
        }
    }

    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Need::Ffmpeg => &["ffmpeg"],
            Need::CCompiler => &["gcc", "g++", "libc6-dev", "nasm"],
            Need::Libclang => &["libclang-dev"],
            Need::Mosquitto => &["mosquitto"],
            Need::RtspServer => &[
                "python3-gi",
                "gir1.2-gst-rtsp-server-1.0",
                "gstreamer1.0-plugins-base",
                "gstreamer1.0-plugins-good",
            ],
            Need::Browser => &["chromium", "chromium-driver"],
            Need::MetricsReader => &["python3", "python3-prometheus-client"],
            Need::Gstreamer => {
                &["gstreamer1.0-tools", "gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good"]
            }
            Need::Aarch64Compiler => &["g++-aarch64-linux-gnu", "libc6-dev-arm64-cross"],
            Need::QemuUser => &["qemu-user"],
            Need::Python => &["python3", "python3-venv"],
            Need::Emulator => &["qemu-system-arm"],
            Need::Disk => &["e2fsprogs", "nbdkit"],
            Need::Ssh => &["openssh-client"],
            Need::Dpkg => &["dpkg"],
            Need::DebianKeys => &["debian-archive-keyring"],
        }
    }
}

/// Installs what is missing where this process may, and otherwise prints the command to type.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.debian_packages()).copied().collect();
    let by_hand = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !on_path("apt-get") {
        bail!("this machine lacks programs that Debian ships as: {}", packages.join(" "));
    }
    if !is_root() {
        bail!("this machine lacks {}; install them with\n    sudo {by_hand}", packages.join(", "));
    }
    eprintln!("xtask: installing {}", packages.join(" "));
    apt(&["update"])?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(&packages);
    apt(&install).with_context(|| format!("installation failed; try by hand:\n    {by_hand}"))?;
    match missing.iter().find(|need| !need.is_met()) {
        Some(need) => bail!("{:?} was installed, but its program is not on PATH", need.debian_packages()),
        None => Ok(()),
    }
}

/// Installs a cargo subcommand from the crates registry if it is missing; unoptimised, which builds it in a minute.
pub fn ensure_cargo_tool(name: &str, version: &str) -> Result<()> {
    if on_path(name) {
        return Ok(());
    }
    eprintln!("xtask: installing {name} {version}");
    crate::step::cargo(&["install", "--locked", "--debug", "--version", version, name])
}

/// Installs a compiler beside the pinned one if it is missing.
pub fn ensure_toolchain(name: &str) -> Result<()> {
    let mut compiler = Command::new("rustup");
    compiler.args(["run", name, "rustc", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if compiler.status().is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let mut install = Command::new("rustup");
    install.args(["toolchain", "install", name, "--profile", "minimal"]);
    crate::step::run(&format!("rustup toolchain install {name}"), &mut install)
}

/// Adds the standard library of a compilation target if rustup has not done so already.
pub fn ensure_target(triple: &str) -> Result<()> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output()?;
    let sysroot = String::from_utf8(sysroot.stdout)?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(triple).join("lib").is_dir() {
        return Ok(());
    }
    crate::step::run("rustup target add", Command::new("rustup").args(["target", "add", triple]))
        .with_context(|| {
            format!("the Rust target {triple} is missing; add it with\n    rustup target add {triple}")
        })
}

/// The folder with footage and weights that some tests need: `WATCHPOST_SHARED` or `../shared`.
pub fn shared_data() -> PathBuf {
    std::env::var_os("WATCHPOST_SHARED")
        .map_or_else(|| crate::step::workspace_root().join("../shared"), PathBuf::from)
        .join("data")
}

pub fn say_what_data_is_missing() {
    for (folder, tests) in [("ped2", "tests on UCSD Ped2"), ("i3d", "tests with the Kinetics I3D weights")] {
        let path = shared_data().join(folder);
        if !path.is_dir() {
            eprintln!(
                "\n*** {} is absent: {tests} WILL BE SKIPPED. Set WATCHPOST_SHARED to the folder that holds data/{folder}. ***\n",
                path.display()
            );
        }
    }
}

fn apt(args: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    crate::step::run(&format!("apt-get {}", args.join(" ")), &mut command)
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// The bindings to Video4Linux are generated at build time, by libclang wherever the linker finds it.
fn has_libclang() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let folders = ["/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
    let llvm =
        std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path().join("lib"));
    llvm.chain(folders.map(PathBuf::from)).any(|folder| {
        let names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
        names.into_iter().any(|name| {
            let name = name.to_string_lossy().into_owned();
            name.starts_with("libclang") && !name.starts_with("libclang-cpp") && name.contains(".so")
        })
    })
}

/// GStreamer's, with the bindings of Debian's own Python and what reads MP4 files.
fn has_rtsp_server() -> bool {
    let bindings = "import gi; gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0'); \
                    from gi.repository import Gst, GstRtspServer; \
                    Gst.init(None); raise SystemExit(not all(map(Gst.ElementFactory.find, ('qtdemux', 'rtph264pay'))))";
    debian_python(bindings)
}

/// Whether Debian's Python, for which its packages are made, runs a script without an error.
fn debian_python(script: &str) -> bool {
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", script]).stdout(Stdio::null()).stderr(Stdio::null());
    python.status().is_ok_and(|status| status.success())
}

fn has_elements() -> bool {
    let is_there = |element: &str| {
        let mut inspect = Command::new("gst-inspect-1.0");
        inspect.args(["--exists", element]).stdout(Stdio::null()).stderr(Stdio::null());
        inspect.status().is_ok_and(|status| status.success())
    };
    ["videotestsrc", "videoscale", "y4menc"].into_iter().all(is_there)
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
