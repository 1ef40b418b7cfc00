//! The Debian package on a Debian system of the emulated board: systemd starts the program, udev gives it the GPIO chip, and an update or a
//! removal touches nothing of the integrator's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a broken set-up must stop the test"
)]

mod rig;

use std::path::{Path, PathBuf};
use std::process::Command;

use board_tests::Remote;
use board_tests::vivid::{FIRST, RATE_HZ};
use e2e_tests::finish;
use rig::footage::Footage;
use rig::{light_bundle, new_debian};

/// The package, where somebody built it.
fn package() -> Option<PathBuf> {
    let package = std::env::var_os("WATCHPOSTD_DEB").map(PathBuf::from);
    if package.is_none() {
        eprintln!("\n*** SKIPPED: no package; `cargo xtask board virt` builds it and runs this test ***\n");
    }
    package
}

#[test]
fn nothing_in_the_package_is_anybodys_to_write_but_roots() {
    let Some(package) = package() else { return };
    let listing = dpkg_deb(&["--contents"], &package);
    for line in listing.lines() {
        let (mode, rest) = line.split_once(' ').unwrap();
        assert!(rest.trim_start().starts_with("root/root "), "{line}");
        assert!(["drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"].contains(&mode), "{line}");
        assert_eq!(mode == "-rwxr-xr-x", line.ends_with("./usr/bin/watchpostd"), "{line}");
    }
    let files = [
        "etc/watchpost/",
        "usr/bin/watchpostd",
        "usr/lib/systemd/system/watchpostd.service",
        "usr/lib/sysusers.d/watchpost.conf",
        "usr/lib/udev/rules.d/60-watchpost.rules",
        "usr/share/doc/watchpostd/copyright",
        "usr/share/doc/watchpostd/third-party.txt.gz",
    ];
    for file in files {
        assert!(listing.lines().any(|line| line.ends_with(&format!(" ./{file}"))), "{file} in\n{listing}");
    }
    assert_eq!(dpkg_deb(&["--field"], &package).matches("Conffiles").count(), 0);
    assert!(package.to_str().unwrap().ends_with("_arm64.deb"));
}

#[test]
fn it_is_installed_updated_and_removed_as_an_integrator_expects() {
    let Some(package) = package() else { return };
    let folder = tempfile::tempdir().unwrap();
    let bundle = light_bundle(folder.path());
    let running = new_debian(folder.path()).start(None).unwrap();
    let system = System { board: &running.remote };

    system.install(&package);
    assert_eq!(system.says("systemctl is-enabled watchpostd"), "enabled");
    assert_eq!(system.says("systemctl is-active watchpostd"), "inactive", "nobody has set it up yet");
    assert_eq!(system.says("stat -c %U:%G /var/lib/watchpost"), "watchpost:watchpost");
    system.wait("the group has the GPIO chip", || system.says("stat -c %G:%a /dev/gpiochip0") == "gpio:660");
    let example = system.says("watchpostd check --config /usr/share/doc/watchpostd/board.toml");
    assert!(example.starts_with("ok    config"), "{example}");

    system.set_up(&bundle);
    let configured = system.says("sha256sum /etc/watchpost/board.toml");
    // Comes back when the program has said that it is ready.
    running.remote.run("systemctl start watchpostd").unwrap();
    system.wait("its camera is watched", || system.status().contains("1 of 1 cameras watched"));
    let first = system.process();
    assert_eq!(system.says(&format!("stat -c %U /proc/{first}")), "watchpost");
    assert!(system.says("cat /sys/kernel/debug/gpio").contains("watchpostd"), "it has the siren's line");

    running.remote.run("systemctl disable watchpostd").unwrap();
    system.install(&newer(&package, folder.path()));
    system.wait("the new program runs", || {
        let process = system.process();
        process != "0" && process != first
    });
    system.wait("its camera is watched again", || system.status().contains("1 of 1 cameras watched"));
    assert_eq!(system.says("sha256sum /etc/watchpost/board.toml"), configured);
    assert_eq!(system.says("systemctl is-enabled watchpostd"), "disabled", "the update enabled it");

    let last = system.process();
    running.remote.run("dpkg --remove watchpostd").unwrap();
    assert_eq!(system.says(&format!("ls -d /proc/{last} 2> /dev/null")), "", "it still runs");
    assert_eq!(system.says("ls /usr/bin/watchpostd 2> /dev/null"), "");
    assert_eq!(system.says("sha256sum /etc/watchpost/board.toml"), configured);
    assert_eq!(system.says("ls /var/lib/watchpost/outbox.db"), "/var/lib/watchpost/outbox.db");

    // Installed again, it is as it was before it was removed.
    system.install(&package);
    assert_eq!(system.says("systemctl is-enabled watchpostd"), "disabled");
    running.remote.run("systemctl enable watchpostd && dpkg --remove watchpostd").unwrap();
    system.install(&package);
    assert_eq!(system.says("systemctl is-enabled watchpostd"), "enabled");
    system.wait("it watches again", || system.status().contains("1 of 1 cameras watched"));
    running.remote.run("dpkg --remove watchpostd").unwrap();
    running.remote.run("dpkg --purge watchpostd").unwrap();
    assert_eq!(system.says("ls -d /etc/watchpost /var/lib/watchpost 2> /dev/null"), "");
}

/// The system, with the questions of this test.
struct System<'a> {
    board: &'a Remote,
}

impl System<'_> {
    fn install(&self, package: &Path) {
        self.board.put(&std::fs::read(package).unwrap(), "/root/package.deb").unwrap();
        // Nobody is there to be asked.
        println!("{}", self.board.run("dpkg --install /root/package.deb < /dev/null 2>&1").unwrap());
    }

    /// What a line of shell prints, whatever it ends with.
    fn says(&self, line: &str) -> String {
        self.board.run(&format!("{line} || true")).unwrap().trim().to_owned()
    }

    fn status(&self) -> String {
        self.says("systemctl show watchpostd --property StatusText --value")
    }

    fn process(&self) -> String {
        self.says("systemctl show watchpostd --property MainPID --value")
    }

    fn wait(&self, what: &str, has_happened: impl Fn() -> bool) {
        let log =
            || self.says("systemctl status --full --lines 40 watchpostd 2>&1; journalctl --no-pager -n 60");
        rig::wait_until(what, log, has_happened);
    }

    fn set_up(&self, bundle: &Path) {
        self.board.put_folder(bundle, "/var/lib/watchpost/bundle").unwrap();
        let sections = r#"
            [outbox]
            path = "/var/lib/watchpost/outbox.db"

            [[output]]
            name = "siren"
            kind = "gpio"
            chip = "/dev/gpiochip0"
            line = 1
            "#;
        let camera = rig::camera("north", FIRST.camera, (RATE_HZ / Footage::REPEATS).into());
        let config = rig::config("/var/lib/watchpost/bundle", &format!("{sections}{camera}"));
        self.board.put(config.as_bytes(), "/etc/watchpost/board.toml").unwrap();
        FIRST.connect(self.board).unwrap();
    }
}

/// The same under the next version.
fn newer(package: &Path, folder: &Path) -> PathBuf {
    let (tree, newer) = (folder.join("newer"), folder.join("newer.deb"));
    finish(Command::new("dpkg-deb").arg("--raw-extract").arg(package).arg(&tree)).expect_success();
    let control = tree.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).unwrap();
    let version = text.lines().find(|line| line.starts_with("Version: ")).unwrap();
    std::fs::write(&control, text.replace(version, &format!("{version}+newer"))).unwrap();
    // Packed fast: it is installed once.
    let mut build = Command::new("dpkg-deb");
    build.args(["-Zgzip", "-z1", "--root-owner-group", "--build"]).arg(&tree).arg(&newer);
    finish(&mut build).expect_success();
    newer
}

fn dpkg_deb(args: &[&str], package: &Path) -> String {
    finish(Command::new("dpkg-deb").args(args).arg(package)).expect_success().stdout
}
