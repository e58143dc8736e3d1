//! Everything that the story needs: a folder, a pairing, configurations, the carrier, the line, two processes.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::Scene;
use crate::central::Caller;
use crate::clock::{Clock, Moment};
use crate::demo::DemoError;
use crate::link::pki::Authority;
use crate::sim::wan::{Share, Wan, Weather};
use crate::sim::{Account, Config, Simulator, port};

/// The number that phones write to.
pub(super) const CODE: &str = "17000";

/// The number of the carrier's account that is spoken to over the line, one message at a time.
pub(super) const FAR_CODE: &str = "17001";

/// How long anything may take before the story is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A process of this program. Dropped, it is killed.
pub(super) struct Service(Child);

impl Service {
    /// As a power cut would, but for the page cache.
    pub(super) fn kill(self) {
        drop(self);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _gone_already = self.0.wait();
    }
}

/// The stage.
pub(super) struct Stage {
    pub(super) scene: Scene,
    pub(super) clock: Clock,
    pub(super) folder: PathBuf,
    pub(super) runtime: Runtime,
    pub(super) smsc: Simulator,
    pub(super) wan: Wan,
    pub(super) edge: Option<Service>,
    pub(super) central: Option<Service>,
    program: PathBuf,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.edge = None;
        self.central = None;
    }
}

fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> DemoError {
    DemoError::io(doing)
}

fn failed(doing: &str, why: impl std::fmt::Display) -> DemoError {
    DemoError::Io {
        doing: doing.into(),
        source: std::io::Error::other(why.to_string()),
    }
}

impl Stage {
    pub(super) fn build(scene: Scene) -> Result<Self, DemoError> {
        let clock = Clock::system();
        let chance = getrandom::u32().unwrap_or(1);
        let folder =
            std::env::temp_dir().join(format!("sluice-demo-{}-{chance}", std::process::id()));
        fs::create_dir(&folder).map_err(io(format!("making {}", folder.display())))?;
        let program = std::env::current_exe().map_err(io("finding this program's own file"))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(io("starting threads"))?;
        let smsc = runtime
            .block_on(Simulator::start(carrier(scene)))
            .map_err(|why| failed("starting the simulated SMSC", why))?;
        let address = port::free().map_err(io("finding a free port"))?;
        let wan = Wan::open(local(), address, weather(scene), u64::from(chance))
            .map_err(io("opening the bad line"))?;
        let stage = Self {
            scene,
            clock,
            folder,
            runtime,
            smsc,
            wan,
            edge: None,
            central: None,
            program,
        };
        stage.pair()?;
        stage.configure(address)?;
        Ok(stage)
    }

    fn pair(&self) -> Result<(), DemoError> {
        let now = self.clock.wall();
        let pki = self.folder.join("pki");
        let told = |why| failed("pairing edge and central", why);
        let year = Duration::from_hours(365 * 24);
        let mut authority =
            Authority::init(&pki, "central", &[self.wan.address().to_string()], now)
                .map_err(told)?;
        let bundle = authority.enrol("oslo", year, now).map_err(told)?;
        bundle.save(&self.folder.join("edge.pair")).map_err(told)
    }

    fn configure(&self, central: SocketAddr) -> Result<(), DemoError> {
        let root = self.folder.display();
        let smsc = self.smsc_address();
        let (section, account) = match self.scene.cimd2 {
            true => ("cimd2", "username"),
            false => ("smpp", "system_id"),
        };
        let edge = format!(
            "name = 'oslo'\n[rings]\ndirectory = '{root}/edge'\n[link]\nbundle = '{root}/edge.pair'\n\
             [status]\nsocket = '{root}/edge.sock'\n\
             [[lane]]\nname = 'carrier'\n[lane.smsc]\ntransport = 'tcp'\nhost = '{}'\nport = {}\n\
             [lane.{section}]\n{account} = 'near'\npassword_file = '{root}/password'\n",
            smsc.ip(),
            smsc.port()
        );
        let central = format!(
            "[rings]\ndirectory = '{root}/central'\n\
             [store]\ndirectory = '{root}/store'\nleast_free_percent = 1\nleast_free_mib = 16\n\
             [link]\ndirectory = '{root}/pki'\nlisten = '{central}'\n[status]\nsocket = '{root}/central.sock'\n\
             [desk]\nsocket = '{root}/desk.sock'\n\
             [[edge]]\nname = 'oslo'\n[[edge.lane]]\nname = 'carrier'\nshort_codes = ['{CODE}']\n"
        );
        let write = |name: &str, text: &str| {
            let path = self.folder.join(name);
            fs::write(&path, text).map_err(io(format!("writing {}", path.display())))
        };
        for name in ["edge", "central"] {
            let path = self.folder.join(name);
            fs::create_dir(&path).map_err(io(format!("making {}", path.display())))?;
        }
        write("password", "secret")?;
        let private = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600);
        fs::set_permissions(self.folder.join("password"), private)
            .map_err(io("keeping the password private"))?;
        write("edge.toml", &edge)?;
        write("central.toml", &central)
    }

    /// Where the carrier is.
    pub(super) fn smsc_address(&self) -> SocketAddr {
        let addresses = self.smsc.addresses();
        let address = match self.scene.cimd2 {
            true => addresses.cimd2,
            false => addresses.smpp,
        };
        address.expect("the simulator offers it")
    }

    /// Starts edge or central as a process of its own.
    pub(super) fn start(&self, mode: &str) -> Result<Service, DemoError> {
        let log = self.folder.join(format!("{mode}.log"));
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(io(format!("writing {}", log.display())))?;
        Command::new(&self.program)
            .args(["--log", "info", mode, "--config"])
            .arg(self.folder.join(mode).with_extension("toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map(Service)
            .map_err(io(format!("starting {}", self.program.display())))
    }

    /// What edge or central logged.
    pub(super) fn log(&self, mode: &str) -> String {
        fs::read_to_string(self.folder.join(format!("{mode}.log"))).unwrap_or_default()
    }

    /// Central's desk, as soon as it is there.
    pub(super) fn desk(&self) -> Result<Caller, DemoError> {
        let path = self.folder.join("desk.sock");
        let begun = self.clock.now();
        loop {
            match Caller::call(&path) {
                Ok(caller) => return Ok(caller),
                Err(why) if self.clock.now() - begun > PATIENCE => {
                    return Err(failed("calling central's desk", why));
                }
                Err(_not_yet) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// How long ago a moment was, in words.
    pub(super) fn since(&self, moment: Moment) -> String {
        seconds(self.clock.now() - moment)
    }

    /// Takes everything away.
    pub(super) fn clear(&self) {
        // What is left of it harms nobody.
        let _best_effort = fs::remove_dir_all(&self.folder);
    }
}

/// `1.4 s`.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// What the line between edge and central is like.
pub(super) fn weather(scene: Scene) -> Weather {
    let one_way = scene.round_trip.as_millis() as u64 / 2;
    Weather::delayed(one_way).losing(Share::percent(scene.loss_percent))
}

pub(super) fn local() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn carrier(scene: Scene) -> Config {
    let account = |name: &str, code: &str| Account {
        numbers: vec![code.into()],
        refuse_beyond_window: true,
        ..Account::new(name, "secret")
    };
    let mut config = Config {
        accounts: vec![account("near", CODE), account("far", FAR_CODE)],
        ..Config::default()
    };
    config.centre.keep = 100_000;
    config.centre.deliver_again_after = Duration::from_millis(200);
    match scene.cimd2 {
        true => config.cimd2 = Some(crate::sim::Cimd2::default()),
        false => config.smpp = Some(crate::sim::Smpp::default()),
    }
    config
}

/// The path of a log, for people.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
