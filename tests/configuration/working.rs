//! What is read, and in which order.

use std::time::Duration;

use sluice::central::config::CentralConfig;
use sluice::config::Effect;
use sluice::edge::config::EdgeConfig;
use sluice::smsc::courier::InDoubt;
use sluice::smsc::transport::{Bits, Endpoint, Flow, Parity};

use super::support::Folder;

const LANE: &str = "name = 'oslo'\n[[lane]]\nname = 'one'\nsmsc = { transport = 'tcp', host = 'smsc', port = 2000 }\n\
                    smpp = { system_id = 'sluice', password_file = 'credential:carrier-1' }\n";

#[test]
fn an_edge_needs_a_name_and_a_lane() {
    let folder = Folder::new();
    let file = folder.write("edge.toml", LANE);
    let config = folder.load::<EdgeConfig>(&file).unwrap().config;
    assert_eq!(config.name, "oslo");
    assert_eq!(config.lanes[0].protocol(), "smpp");
    assert_eq!(config.lanes[0].stuck_after, Duration::from_secs(120));
    let account = config.lanes[0].smpp.as_ref().unwrap();
    assert_eq!(account.password.expose(), "hush");
    assert_eq!(
        config.ring_file().to_str(),
        Some("/var/lib/sluice/rings/edge.ring")
    );
    let rings: Vec<String> = config.rings().iter().map(ToString::to_string).collect();
    assert_eq!(rings, ["oslo/one:mo:origin", "oslo/one:mt:mirror"]);
    assert_eq!(
        config.status.socket("edge").to_str(),
        Some("/run/sluice/edge.sock")
    );
}

#[test]
fn a_serial_line_takes_numbers_and_words() {
    let folder = Folder::new();
    let file = folder.write(
        "edge.toml",
        "name = 'oslo'\n[[lane]]\nname = 'one'\nthroughput = 5\nin_doubt = 'hold'\n[lane.smsc]\ntransport = 'serial'\n\
         device = '/dev/ttyS0'\nbits = 7\nparity = 'even'\nflow = 'software'\n[lane.cimd2]\nusername = 'sluice'\n\
         password_file = 'credential:carrier-1'\nresponse_timeout = '1min 30s'\nanswers = { 323 = 'transient' }\n",
    );
    let config = folder.load::<EdgeConfig>(&file).unwrap().config;
    let Endpoint::Serial {
        baud,
        parity,
        bits,
        flow,
        ..
    } = config.lanes[0].smsc
    else {
        panic!("{:?}", config.lanes[0].smsc);
    };
    assert_eq!(
        (baud, parity, bits, flow),
        (9600, Parity::Even, Bits::Seven, Flow::Software)
    );
    assert_eq!(config.lanes[0].manner().throughput, Some(5.0));
    assert_eq!(config.lanes[0].manner().in_doubt, InDoubt::Hold);
    let account = config.lanes[0].cimd2.as_ref().unwrap();
    assert_eq!(account.response_timeout, Duration::from_secs(90));
}

#[test]
fn drop_ins_are_laid_over_the_file_in_the_order_of_their_names() {
    let folder = Folder::new();
    let file = folder.write("edge.toml", LANE);
    folder.write(
        "edge.d/20-rate.toml",
        "[[lane]]\nname = 'one'\nthroughput = 20\n[log]\nfilter = 'debug'\n",
    );
    folder.write(
        "edge.d/10-rate.toml",
        "[[lane]]\nname = 'one'\nthroughput = 10\nmo = false\n",
    );
    folder.write(
        "edge.d/30-lane.toml",
        "[[lane]]\nname = 'two'\nsmsc = { transport = 'tcp', host = 'smsc', port = 2001 }\n\
         cimd2 = { username = 'sluice', password_file = 'credential:carrier-1' }\n",
    );
    folder.write("edge.d/40-off.toml.off", "nonsense");
    folder.write("edge.d/.50-editing.toml", "nonsense");
    let loaded = folder.load::<EdgeConfig>(&file).unwrap();
    let config = &loaded.config;
    assert_eq!(config.lanes.len(), 2);
    assert_eq!(config.lanes[0].throughput, Some(20.0));
    assert!(!config.lanes[0].mo);
    assert_eq!(config.lanes[1].protocol(), "cimd2");
    assert_eq!(config.log.filter, "debug");
    let files: Vec<_> = loaded
        .files()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        files,
        ["edge.toml", "10-rate.toml", "20-rate.toml", "30-lane.toml"]
    );
}

#[test]
fn a_fault_in_a_drop_in_is_found_there() {
    let folder = Folder::new();
    let file = folder.write("edge.toml", LANE);
    let drop_in = folder.write(
        "edge.d/10.toml",
        "[[lane]]\nname = 'one'\nthroughput = 'fast'\n",
    );
    let told = folder.load::<EdgeConfig>(&file).unwrap_err().to_string();
    assert_eq!(
        told,
        format!(
            "{}:3:14: lane[one].throughput: is \"fast\", and a number is expected",
            drop_in.display()
        )
    );
}

#[test]
fn a_central_lists_edges_lanes_and_routes() {
    let folder = Folder::new();
    let file = folder.write(
        "central.toml",
        "[[edge]]\nname = 'oslo'\n[[edge.lane]]\nname = 'a'\noperator = 'telenor'\nshort_codes = ['12345', '+4759440000']\n\
         [[edge.lane]]\nname = 'b'\nmo = false\nweight = 3\n[[edge]]\nname = 'molde'\n[[edge.lane]]\nname = 'a'\n\
         [[route]]\nprefixes = ['+4790']\noperator = 'telenor'\nreserve = ['oslo/b']\n[[route]]\nlanes = ['oslo/b', 'molde/a']\n",
    );
    let loaded = folder.load::<CentralConfig>(&file).unwrap();
    let config = loaded.config;
    assert_eq!(loaded.warnings, []);
    let rings: Vec<String> = config.rings().iter().map(ToString::to_string).collect();
    assert_eq!(
        rings,
        [
            "oslo/a:mo:mirror",
            "oslo/a:mt:origin",
            "oslo/b:mt:origin",
            "molde/a:mo:mirror",
            "molde/a:mt:origin"
        ]
    );
    assert_eq!(config.routes[1].lanes[1].to_string(), "molde/a");
    assert_eq!(config.backlog.validity, Duration::from_secs(48 * 3600));
}

#[test]
fn an_empty_central_may_run_and_says_what_it_lacks() {
    assert_eq!(
        Folder::new().told::<CentralConfig>(""),
        "warning: central.toml:1:1: there is no [[edge]], so no edge can open a lane\n"
    );
}

#[test]
fn what_changed_is_told_with_what_it_takes() {
    let folder = Folder::new();
    let file = folder.write("edge.toml", LANE);
    let before = folder.load::<EdgeConfig>(&file).unwrap();
    assert_eq!(before.difference(&folder.load(&file).unwrap()), []);
    folder.secret("credentials/carrier-1", "changed", 0o400);
    folder.write(
        "edge.toml",
        "name = 'oslo'\n[[lane]]\nname = 'two'\nsmsc = { transport = 'tcp', host = 'smsc', port = 1 }\n\
         smpp = { system_id = 'sluice' }\n[[lane]]\nname = 'one'\nthroughput = 2.5\n\
         smsc = { transport = 'tcp', host = 'other', port = 2000 }\n\
         smpp = { system_id = 'sluice', password_file = 'credential:carrier-1' }\n\
         [link]\ntransport = 'tcp'\n[status]\nmode = '0600'\n[log]\nfilter = 'debug'\n",
    );
    let after = folder.load::<EdgeConfig>(&file).unwrap();
    let changes = before.difference(&after);
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "lane[one].smpp.password: a secret -> another secret (the lane's SMSC session is made anew)",
            "lane[one].smsc.host: \"smsc\" -> \"other\" (the lane's SMSC session is made anew)",
            "lane[one].throughput: default -> 2.5 (taken up at once)",
            "lane[two].name: default -> \"two\" (waits for a restart)",
            "lane[two].smpp.system_id: default -> \"sluice\" (the lane's SMSC session is made anew)",
            "lane[two].smsc.host: default -> \"smsc\" (the lane's SMSC session is made anew)",
            "lane[two].smsc.port: default -> 1 (the lane's SMSC session is made anew)",
            "lane[two].smsc.transport: default -> \"tcp\" (the lane's SMSC session is made anew)",
            "link.transport: default -> \"tcp\" (the link is made anew)",
            "log.filter: default -> \"debug\" (taken up at once)",
            "status.mode: default -> \"0600\" (waits for a restart)",
        ]
    );
    assert_eq!(changes[2].effect, Effect::AtOnce);
    assert_eq!(changes[2].section.as_deref(), Some("one"));
    assert_eq!(after.difference(&before).len(), changes.len());
}
