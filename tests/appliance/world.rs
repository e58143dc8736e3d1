//! The real program three times: a simulated SMSC, an edge, central; a bad line between the last two; and the desk.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sluice::sim::port;
use sluice::sim::wan::{Wan, Weather};

/// Longest wait for anything; other work may load the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A running program.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// SIGKILL, and gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it is gone");
    }

    /// SIGTERM, and how long it took to end; its exit code.
    pub(crate) fn terminate(mut self) -> (Duration, Option<i32>) {
        let begun = Instant::now();
        signal(&self.child, "TERM");
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return (begun.elapsed(), status.code());
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it ends by itself; its exit code.
    pub(crate) fn ended(mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be asked") {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// From now on no file of it may grow beyond so many octets, nor be written there; with nothing, as it likes. That is
    /// how a full disk looks to it, and needs no disk and no rights.
    pub(crate) fn let_files_take(&self, octets: Option<u64>) {
        let octets = octets.map_or_else(|| String::from("unlimited"), |octets| octets.to_string());
        let set = Command::new("prlimit")
            .args(["--pid", &self.child.id().to_string()])
            .arg(format!("--fsize={octets}:unlimited"))
            .status()
            .expect("prlimit is there");
        assert!(set.success());
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        signal(&self.child, "HUP");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), child.id().to_string()])
        .status()
        .expect("kill is there");
    assert!(sent.success());
}

/// The simulated SMSC as a program.
pub(crate) struct Smsc {
    /// Gone when this is dropped.
    _process: Process,
    typed: ChildStdin,
    told: BufReader<std::process::ChildStdout>,
    /// Where it listens.
    pub(crate) addresses: Value,
}

impl Smsc {
    fn start(folder: &Path, script: &str) -> Self {
        let file = folder.join("smsc.toml");
        fs::write(&file, script).expect("the script is written");
        let log = folder.join("smsc.log");
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["sim", "smsc", "--commands", "--script"])
            .arg(&file)
            .arg("--record")
            .arg(folder.join("record.jsonl"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("the simulator starts");
        let typed = child.stdin.take().expect("piped");
        let told = BufReader::new(child.stdout.take().expect("piped"));
        let mut smsc = Self {
            _process: Process { child },
            typed,
            told,
            addresses: Value::Null,
        };
        smsc.addresses = serde_json::from_str(&smsc.line()).expect("its addresses");
        smsc
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.told.read_line(&mut line).expect("it tells");
        line.trim_end().to_owned()
    }

    /// Says a command, and reads its answer of one line.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        writeln!(self.typed, "{command}").expect("it listens");
        self.line()
    }

    /// What it counted.
    pub(crate) fn counts(&mut self) -> Value {
        serde_json::from_str(&self.ask("counts")).expect("counts are JSON")
    }
}

/// How a world is made.
pub(crate) struct Setting {
    /// More of the simulator's script.
    pub(crate) script: String,
    /// How many lanes; the short code of lane *n* is 17000 + n, its account `lane-n`.
    pub(crate) lanes: usize,
    /// CIMD2 instead of SMPP.
    pub(crate) cimd2: bool,
    /// The line.
    pub(crate) weather: Weather,
    /// More of a lane's section.
    pub(crate) lane: String,
    /// More of the account's section.
    pub(crate) account: String,
    /// Whether each step of each message is logged.
    pub(crate) access: bool,
    /// Sections that central has beside those that it needs.
    pub(crate) central: String,
    /// More numbers that belong to the first lane's account, as in `'171*'`.
    pub(crate) numbers: String,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            script: String::new(),
            lanes: 1,
            cimd2: false,
            weather: Weather::delayed(20),
            lane: String::new(),
            account: String::new(),
            access: false,
            central: String::new(),
            numbers: String::new(),
        }
    }
}

/// All of it. Edge and central are started and stopped by the test.
pub(crate) struct World {
    folder: tempfile::TempDir,
    /// The SMSC.
    pub(crate) smsc: Smsc,
    /// The line.
    pub(crate) wan: Wan,
    central_address: SocketAddr,
}

impl World {
    /// Makes folders, pairing, configuration, SMSC and line.
    pub(crate) fn new(setting: &Setting) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        let protocol = if setting.cimd2 { "cimd2" } else { "smpp" };
        let mut script =
            format!("[centre]\nkeep = 200000\ndeliver_again_after = '200ms'\n[{protocol}]\n");
        for lane in 0..setting.lanes {
            script += &format!(
                "[[account]]\nname = 'lane-{lane}'\npassword = 'secret'\nnumbers = ['{}', {}]\nrefuse_beyond_window = true\n",
                17000 + lane,
                if lane == 0 { &setting.numbers } else { "" },
            );
        }
        script += &setting.script;
        let smsc = Smsc::start(&path, &script);
        let central_address = free_port();
        let wan = Wan::open(
            "127.0.0.1:0".parse().expect("an address"),
            central_address,
            setting.weather,
            7,
        )
        .expect("the line");
        let world = Self {
            folder,
            smsc,
            wan,
            central_address,
        };
        world.pair();
        world.configure(setting);
        world
    }

    /// Where everything lies.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn pair(&self) {
        let pki = self.path().join("pki");
        let run = |arguments: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
                .arg("pair")
                .args(arguments)
                .output()
                .expect("sluice pair runs");
            assert!(
                output.status.success(),
                "{arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        let pki = pki.to_str().expect("a plain path");
        let address = self.wan.address().to_string();
        let bundle = self.path().join("edge.pair");
        let bundle = bundle.to_str().expect("a plain path");
        run(&["--directory", pki, "init", "--address", &address]);
        run(&["--directory", pki, "enrol", "oslo", "--out", bundle]);
    }

    fn configure(&self, setting: &Setting) {
        let root = self.path().display();
        let access = setting.access;
        let protocol = if setting.cimd2 { "cimd2" } else { "smpp" };
        let account = if setting.cimd2 {
            "username"
        } else {
            "system_id"
        };
        let smsc = self.smsc.addresses[protocol].as_str().expect("it listens");
        let port = smsc.rsplit(':').next().expect("a port");
        fs::write(self.path().join("password"), "secret").expect("it is written");
        let mut permissions = fs::metadata(self.path().join("password"))
            .expect("it is there")
            .permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
        fs::set_permissions(self.path().join("password"), permissions).expect("it is ours");
        let mut edge = format!(
            "name = 'oslo'\n[log]\naccess = {access}\n[rings]\ndirectory = '{root}/edge'\n[link]\nbundle = '{root}/edge.pair'\n\
             [status]\nsocket = '{root}/edge.sock'\n"
        );
        let mut central = format!(
            "[log]\naccess = {access}\n[rings]\ndirectory = '{root}/central'\n[store]\ndirectory = '{root}/store'\nleast_free_percent = 1\nleast_free_mib = 64\n\
             [link]\ndirectory = '{root}/pki'\nlisten = '{}'\n[status]\nsocket = '{root}/central.sock'\n\
             [desk]\nsocket = '{root}/desk.sock'\n[[edge]]\nname = 'oslo'\n",
            self.central_address
        );
        for lane in 0..setting.lanes {
            edge += &format!(
                "[[lane]]\nname = 'lane-{lane}'\n{}\n[lane.smsc]\ntransport = 'tcp'\nhost = '127.0.0.1'\nport = {port}\n\
                 [lane.{protocol}]\n{account} = 'lane-{lane}'\npassword_file = '{root}/password'\n{}\n",
                setting.lane, setting.account
            );
            central += &format!(
                "[[edge.lane]]\nname = 'lane-{lane}'\nshort_codes = ['{}']\n",
                17000 + lane
            );
        }
        central += &setting.central;
        for (name, text) in [("edge", edge), ("central", central)] {
            fs::create_dir_all(self.path().join(name)).expect("a folder");
            fs::write(self.path().join(format!("{name}.toml")), text).expect("it is written");
        }
    }

    /// Starts one of the two, by the mode's name.
    pub(crate) fn start(&self, mode: &str) -> Process {
        self.start_by(mode, "trap '' XFSZ; exec \"$@\"")
    }

    /// The same, while its files take nothing: see [`Process::let_files_take`].
    pub(crate) fn start_full(&self, mode: &str) -> Process {
        self.start_by(mode, "trap '' XFSZ; ulimit -S -f 0; exec \"$@\"")
    }

    /// Starts it by way of a shell, since a signal that a program does not know of would end it at a limit; files that
    /// are full give it an error instead, as a disk does. The log goes by way of this process, to be free of such limits.
    fn start_by(&self, mode: &str, script: &str) -> Process {
        let mut log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path().join(format!("{mode}.log")))
            .expect("a log");
        let mut child = Command::new("sh")
            .args(["-c", script, "sluice"])
            .arg(env!("CARGO_BIN_EXE_sluice"))
            .args(["--log", "info", "--mode", mode, "--config"])
            .arg(self.path().join(format!("{mode}.toml")))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut told = child.stderr.take().expect("it is piped");
        std::thread::spawn(move || std::io::copy(&mut told, &mut log));
        Process { child }
    }

    /// What one of the two logged, over all its lives.
    pub(crate) fn log(&self, mode: &str) -> String {
        fs::read_to_string(self.path().join(format!("{mode}.log"))).unwrap_or_default()
    }

    /// A connection to the desk, as soon as there is one.
    pub(crate) fn desk(&self) -> Desk {
        let path = self.path().join("desk.sock");
        let begun = Instant::now();
        loop {
            if let Ok(stream) = UnixStream::connect(&path) {
                return Desk::on(stream);
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "there is no desk: {}",
                self.log("central")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What the simulator recorded, of one kind of event.
    pub(crate) fn recorded(&self, event: &str) -> Vec<Value> {
        fs::read_to_string(self.path().join("record.jsonl"))
            .unwrap_or_default()
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|record| record["event"] == event)
            .collect()
    }
}

/// `sluice` with these arguments, on the status socket of one of the two: its exit code, and all that it says.
pub(crate) fn sluice(folder: &Path, mode: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(arguments)
        .arg("--socket")
        .arg(folder.join(mode).with_extension("sock"))
        .output()
        .expect("sluice runs");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr),
    )
}

/// A port for something that is started later.
pub(crate) fn free_port() -> SocketAddr {
    port::free().expect("a free port")
}

/// A connection to the desk.
pub(crate) struct Desk {
    write: UnixStream,
    read: BufReader<UnixStream>,
}

impl Desk {
    fn on(stream: UnixStream) -> Self {
        stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .expect("it can be set");
        let read = BufReader::new(stream.try_clone().expect("two handles"));
        Self {
            write: stream,
            read,
        }
    }

    /// Says something; false if the desk is gone.
    pub(crate) fn say(&mut self, request: &Value) -> bool {
        writeln!(self.write, "{request}").is_ok()
    }

    /// The next line; nothing if none comes within a second, an error if the desk is gone.
    pub(crate) fn hear(&mut self) -> std::io::Result<Option<Value>> {
        let mut line = String::new();
        match self.read.read_line(&mut line) {
            Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(_) if line.ends_with('\n') => Ok(serde_json::from_str(&line).ok()),
            Ok(_) => Err(std::io::ErrorKind::UnexpectedEof.into()),
            Err(why) if why.kind() == std::io::ErrorKind::WouldBlock && line.is_empty() => Ok(None),
            Err(why) => Err(why),
        }
    }
}

/// Sends texts and does not stop before each is stored, whatever happens to the desk meanwhile. The same key again is the
/// same text; no two calls use one key for different texts.
pub(crate) fn send_all(world: &World, texts: &[(String, String, String)]) -> Vec<String> {
    let mut ids = BTreeMap::new();
    let begun = Instant::now();
    while ids.len() < texts.len() {
        assert!(begun.elapsed() < PATIENCE, "texts are not taken");
        let mut desk = world.desk();
        let open: Vec<usize> = (0..texts.len())
            .filter(|number| !ids.contains_key(number))
            .collect();
        'connection: for chunk in open.chunks(200) {
            for &number in chunk {
                let (from, to, text) = &texts[number];
                let request = serde_json::json!({
                    "do": "send", "key": format!("{number}: {text}"), "from": from, "to": to, "text": text,
                });
                if !desk.say(&request) {
                    break 'connection;
                }
            }
            for _ in chunk {
                match hear_patiently(&mut desk) {
                    Some(reply) => {
                        let stored = &reply["stored"];
                        if let (Some(key), Some(id)) =
                            (stored["key"].as_str(), stored["id"].as_str())
                        {
                            let number = key.split(':').next().expect("our own key");
                            let number: usize = number.parse().expect("our own key");
                            ids.insert(number, id.to_owned());
                        } else {
                            assert_eq!(reply["refused"]["later"], true, "{reply}");
                        }
                    }
                    None => break 'connection,
                }
            }
        }
    }
    ids.into_values().collect()
}

fn hear_patiently(desk: &mut Desk) -> Option<Value> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        match desk.hear() {
            Ok(Some(reply)) => return Some(reply),
            Ok(None) => {}
            Err(_gone) => return None,
        }
    }
    None
}

/// Reads the inbox until it has so many messages, over as many connections as that takes. An entry comes once: the
/// numbers go on without a gap.
pub(crate) fn read_inbox(world: &World, count: usize) -> Vec<Value> {
    let mut entries: Vec<Value> = Vec::new();
    let mut messages = 0;
    let begun = Instant::now();
    while messages < count {
        let mut desk = world.desk();
        let after = entries
            .last()
            .map_or(0, |entry| entry["number"].as_u64().expect("a number"));
        if !desk.say(&serde_json::json!({"do": "inbox", "after": after})) {
            continue;
        }
        while messages < count {
            assert!(
                begun.elapsed() < PATIENCE,
                "{messages} of {count} messages came; central: {}",
                world.log("central")
            );
            match desk.hear() {
                Ok(Some(reply)) => {
                    let entry = reply["entry"].clone();
                    let number = entry["number"].as_u64().expect("a number");
                    let last = entries
                        .last()
                        .map_or(0, |last| last["number"].as_u64().expect("a number"));
                    assert_eq!(number, last + 1, "entries follow one another");
                    messages += usize::from(entry.get("message").is_some());
                    entries.push(entry);
                }
                Ok(None) => {}
                Err(_gone) => break,
            }
        }
    }
    entries
}
