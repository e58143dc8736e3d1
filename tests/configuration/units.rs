//! systemd takes the units as they are, and they keep their services in.

use std::path::{Path, PathBuf};
use std::process::Command;

fn unit(mode: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("systemd/sluice-{mode}.service"))
}

/// Nothing where there is no systemd; CI installs it.
fn analyze(arguments: &[&str], file: &Path) -> Option<(bool, String)> {
    let output = Command::new("systemd-analyze")
        .args(arguments)
        .arg(file)
        .output()
        .ok()?;
    let mut told = String::from_utf8_lossy(&output.stdout).into_owned();
    told.push_str(&String::from_utf8_lossy(&output.stderr));
    Some((output.status.success(), told))
}

#[test]
fn a1_the_units_verify() {
    let folder = tempfile::tempdir().unwrap();
    for mode in ["edge", "central"] {
        // The program is not installed here; everything else is as it is.
        let text = std::fs::read_to_string(unit(mode)).unwrap();
        let text = text.replace("/usr/bin/sluice", env!("CARGO_BIN_EXE_sluice"));
        let file = folder.path().join(format!("sluice-{mode}.service"));
        std::fs::write(&file, text).unwrap();
        if let Some((is_good, told)) = analyze(&["verify", "--man=no"], &file) {
            let about_us: Vec<&str> = told
                .lines()
                .filter(|line| line.contains("sluice"))
                .collect();
            assert!(is_good && about_us.is_empty(), "{told}");
        }
    }
}

#[test]
fn the_units_are_exposed_no_more_than_agreed() {
    for mode in ["edge", "central"] {
        let Some((_, told)) = analyze(&["security", "--offline=yes", "--no-pager"], &unit(mode))
        else {
            return;
        };
        let (_, level) = told
            .split_once("Overall exposure level for")
            .unwrap_or_else(|| panic!("{told}"));
        let level: f64 = level.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(level <= 1.5, "{mode}: {level}");
    }
}

/// The codes that no restart cures are those of the program.
#[test]
fn units_and_program_agree_about_exit_codes() {
    use sluice::cli::Exit;
    let codes = [Exit::Usage, Exit::Configuration].map(|exit| exit.code().to_string());
    for mode in ["edge", "central"] {
        let text = std::fs::read_to_string(unit(mode)).unwrap();
        assert!(text.contains(&format!("RestartPreventExitStatus={}\n", codes.join(" "))));
    }
}
