//! `sluice check`, as people see it.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use sluice::clock::{Clock, WallTime};
use sluice::link::pki::Authority;

use super::support::Folder;

fn checked(folder: &Folder, arguments: &str) -> String {
    let mut words: Vec<OsString> = ["sluice", "check"].map(OsString::from).to_vec();
    words.extend(arguments.split_whitespace().map(OsString::from));
    words.extend([
        OsString::from("--credentials"),
        folder.path("credentials").into(),
    ]);
    let mut out = Vec::new();
    let exit = sluice::cli::run(words, &mut out).unwrap();
    let told = String::from_utf8(out).unwrap();
    let shown = folder.path("");
    format!("{told}[exit {}]\n", exit.code()).replace(&format!("{}", shown.display()), "")
}

/// Sizes of disks differ.
fn steady(told: &str) -> String {
    told.lines()
        .map(|line| match line.split_once(" MiB are free") {
            Some((before, rest)) => {
                let kept = before.rsplit_once(' ').map_or("", |(kept, _)| kept);
                format!("{kept} SOME MiB are free{rest}\n")
            }
            None => format!("{line}\n"),
        })
        .collect()
}

fn authority(folder: &Folder, now: WallTime) -> Authority {
    let address = vec![String::from("127.0.0.1:25500")];
    Authority::init(&folder.path("pki"), "main", &address, now).unwrap()
}

const LIFE: Duration = Duration::from_secs(1000 * 86_400);

fn edge(folder: &Folder, port: u16) -> String {
    let rings = folder.path("rings");
    std::fs::create_dir_all(&rings).unwrap();
    let file = folder.write(
        "edge.toml",
        &format!(
            "name = 'oslo'\n[link]\nbundle = '{}'\ntransport = 'tcp'\nconnect_timeout = '2s'\n[rings]\ndirectory = '{}'\n\
             [[lane]]\nname = 'a'\nsmsc = {{ transport = 'tcp', host = '127.0.0.1', port = {port} }}\n\
             smpp = {{ system_id = 'sluice', password_file = 'credential:carrier-1' }}\n",
            folder.path("edge.pair").display(),
            rings.display()
        ),
    );
    format!("edge --config {}", file.display())
}

#[test]
fn an_edge_that_is_ready() {
    let folder = Folder::new();
    let now = Clock::system().wall();
    let bundle = authority(&folder, now).enrol("oslo", LIFE, now).unwrap();
    bundle.save(&folder.path("edge.pair")).unwrap();
    let arguments = edge(&folder, 2000);
    assert_eq!(
        steady(&checked(&folder, &arguments)),
        "ok       edge.toml: every key is known and every value makes sense\n\
         ok       edge.pair: edge oslo is paired with central main\n\
         ok       central 127.0.0.1:25500 has an address\n\
         ok       rings/edge.ring: not there yet, the first start makes it\n\
         ok       rings: SOME MiB are free, 3 are needed for rings\n\
         ok       lane a: 127.0.0.1 has an address\n\
         [exit 0]\n"
    );
}

#[test]
fn an_edge_that_lacks_everything() {
    let folder = Folder::new();
    let arguments = edge(&folder, 2000);
    std::fs::remove_dir(folder.path("rings")).unwrap();
    let told = checked(&folder, &arguments);
    assert!(
        told.contains("WRONG    cannot read edge.pair: No such file or directory"),
        "{told}"
    );
    assert!(
        told.contains("WRONG    rings: there is no such directory; make it"),
        "{told}"
    );
    assert!(told.ends_with("[exit 78]\n"), "{told}");
    folder.write("edge.toml", "name = 'oslo'\nlan = 1\n");
    let told = checked(&folder, &arguments);
    assert_eq!(
        told,
        "WRONG    edge.toml:2:1: lan: there is no such key; the nearest is `lane`\n[exit 78]\n"
    );
    // The other mode's file.
    folder.write("edge.toml", "[desk]\n[[edge]]\nname = 'oslo'\n");
    let told = checked(&folder, &arguments);
    assert!(
        told.contains(
            "this is a configuration of central: `sluice check central`, `sluice central`"
        ),
        "{told}"
    );
}

#[test]
fn a_probe_logs_in_to_the_smsc_and_tells_who_does_not_answer() {
    let folder = Folder::new();
    let now = Clock::system().wall();
    let bundle = authority(&folder, now).enrol("oslo", LIFE, now).unwrap();
    bundle.save(&folder.path("edge.pair")).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let script = "[smpp]\n[[account]]\nname = 'sluice'\npassword = 'hush'\n";
    let simulator = runtime
        .block_on(sluice::sim::Simulator::start(
            toml::from_str(script).unwrap(),
        ))
        .unwrap();
    let port = simulator.addresses().smpp.unwrap().port();
    let arguments = format!("{} --probe", edge(&folder, port));
    let told = checked(&folder, &arguments);
    assert!(
        told.contains("ok       lane a: logged in to the SMSC ("),
        "{told}"
    );
    assert!(
        told.contains("WRONG    central main does not greet us: "),
        "{told}"
    );
    folder.secret("credentials/carrier-1", "opensesame\n", 0o400);
    let told = checked(&folder, &arguments);
    assert!(
        told.contains("WRONG    lane a: no session with the SMSC: "),
        "{told}"
    );
    assert!(!told.contains("opensesame"), "{told}");
}

#[test]
fn a_central_that_is_ready_and_one_edge_that_is_not_enrolled() {
    let folder = Folder::new();
    let now = Clock::system().wall();
    let mut made = authority(&folder, now);
    made.enrol("oslo", LIFE, now).unwrap();
    drop(made);
    for directory in ["rings", "store"] {
        std::fs::create_dir(folder.path(directory)).unwrap();
    }
    let path = |name: &str| folder.path(name).display().to_string();
    let file = folder.write(
        "central.toml",
        &format!(
            "[link]\ndirectory = '{}'\n[rings]\ndirectory = '{}'\n[store]\ndirectory = '{}'\n\
             [[edge]]\nname = 'oslo'\n[[edge.lane]]\nname = 'a'\n[[edge]]\nname = 'molde'\n[[edge.lane]]\nname = 'a'\n\
             [[route]]\nlanes = ['oslo/a', 'molde/a']\n[im]\n",
            path("pki"),
            path("rings"),
            path("store")
        ),
    );
    let told = checked(&folder, &format!("central --config {}", shown(&file)));
    assert_eq!(
        steady(&told),
        "ok       central.toml: every key is known and every value makes sense\n\
         ok       pki: central main\n\
         warning  edge molde is not enrolled; `sluice pair enrol molde` does it\n\
         ok       rings/central.ring: not there yet, the first start makes it\n\
         ok       rings: SOME MiB are free, 5 are needed for rings\n\
         ok       store: SOME MiB are free\n\
         ok       IM clients come in at 127.0.0.1:24780, from this machine only\n\
         ok       the IM service reaches no phones; [im.phones] is not there\n\
         [exit 1]\n"
    );
    let before = std::fs::read_to_string(&file).unwrap();
    let door = format!(
        "{before}[im.door]\ncertificate = '{}'\nkey = '{}'\n",
        path("im.crt"),
        path("im.key")
    );
    folder.write("central.toml", &door);
    let told = checked(&folder, &format!("central --config {}", shown(&file)));
    assert!(
        told.contains("WRONG    [im.door] im.crt: ") && told.ends_with("[exit 78]\n"),
        "{told}"
    );
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    folder.write("im.crt", &made.cert.pem());
    folder.write("im.key", &made.signing_key.serialize_pem());
    let told = checked(&folder, &format!("central --config {}", shown(&file)));
    assert!(
        told.contains("ok       IM clients come in at 127.0.0.1:24780 with TLS, as im.crt says\n"),
        "{told}"
    );
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
